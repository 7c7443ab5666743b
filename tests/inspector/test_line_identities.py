"""Whose a message is: the picture's that was taken next after it, however late it is looked at."""

from datetime import datetime, timedelta

import pytest

from inspector.camera.base import NOT_SAID, PartIdentity
from inspector.line.identities import MOST, Identities
from tests.inspector.pipeline_parts import NOON


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def said(*names: tuple[float, str]) -> Identities:
    identities = Identities()
    for second, serial in names:
        identities.put(PartIdentity(serial=serial), at(second))
    return identities


@pytest.mark.parametrize(
    ("messages", "pictures", "serials"),
    [
        ([(0, "A"), (2, "B")], [1, 3], ["A", "B"]),  # the station comes to both pictures late
        ([(0, "A"), (2, "B")], [1, 1.5, 3], ["A", None, "B"]),  # taken once
        ([(0, "A"), (1, "B")], [3, 4], ["B", None]),  # of two before one picture the newest
        ([(2, "B")], [1, 3], [None, "B"]),  # never one that was said after it
        ([(1, "A")], [1], ["A"]),
        ([(5, "A"), (1, "B")], [2, 6], ["B", None]),  # the clock was set back between them
        ([], [1], [None]),
    ],
)
def test_a_picture_is_of_the_part_that_was_named_before_it(
    messages: list[tuple[float, str]], pictures: list[float], serials: list[str | None]
) -> None:
    identities = said(*messages)
    assert [identities.take(at(second)).serial for second in pictures] == serials


def test_a_sender_that_never_stops_is_bounded() -> None:
    identities = said(*((second, str(second)) for second in range(MOST + 10)))
    assert identities.take(at(9)) == NOT_SAID
    assert identities.take(at(10)).serial == "10"
    assert identities.take(at(MOST + 10)).serial == str(MOST + 9)
    assert identities.take(at(MOST + 10)) == NOT_SAID
