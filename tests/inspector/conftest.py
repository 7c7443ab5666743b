"""Fixtures that several files of these tests ask for by name."""

from collections.abc import Iterator

import pytest

from tests.inspector.people_parts import cheap_hashes


@pytest.fixture
def cheap() -> Iterator[None]:
    """Passwords cost a thousandth of what a station's cost."""
    with cheap_hashes():
        yield
