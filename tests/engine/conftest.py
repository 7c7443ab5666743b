"""The tiny bundle, made once for all tests that only read it."""

from pathlib import Path

import pytest

from engine.bundle import Bundle, read_bundle
from tests.engine.tiny import make_tiny_bundle


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A verified bundle that no test may change."""
    return read_bundle(make_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle"))


@pytest.fixture
def own_bundle(tmp_path: Path) -> Path:
    """A bundle of the test's own, to break."""
    return make_tiny_bundle(tmp_path / "bundle")
