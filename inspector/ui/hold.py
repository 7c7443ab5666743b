"""What keeps a station from inspecting, and what of it a person has to see: words, ready to draw.

An error stays in the list until its cause has gone and a person has acknowledged it. What is
missing for Ready is listed item by item, but not while a run is opening: then everything is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from inspector.pipeline.latched import KINDS, LatchedError
from inspector.pipeline.readiness import Precondition
from inspector.pipeline.station_state import Standing
from inspector.ui.words import (
    clock_time,
    date_time,
    error_in_words,
    part_of_error,
    part_of_station,
)


class Hold(Enum):
    """Why a line that runs inspects nothing."""

    STARTING = "starting"
    ERROR = "error"
    NOT_READY = "not ready"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to see. ``holds``: it keeps the station from inspecting; ``seen``: nobody needs to
    acknowledge it, or somebody has; ``facts``: since when, how often, whether it is over."""

    what: str
    sentence: str
    facts: str = ""
    holds: bool = True
    seen: bool = False


def hold_of(standing: Standing) -> Hold | None:
    """What holds a line that was started; None where it inspects, or could."""
    if any(error.blocks for error in standing.errors):
        return Hold.ERROR
    names = [check.name for check in standing.missing]
    if Precondition.PLAN in names:  # opened first and never lost: the run is still opening
        return Hold.STARTING
    return Hold.NOT_READY if names else None


def hold_in_words(standing: Standing) -> str:
    """The line under the large word: short enough for two metres."""
    held_by = [error_in_words(error.code) for error in standing.errors if error.blocks]
    names = ", ".join(check.name for check in standing.missing)
    return held_by[0] if held_by else f"Missing: {names}"


def entries(standing: Standing, failure: str | None, *, running: bool) -> tuple[Entry, ...]:
    """All there is to see, what holds the line first.

    ``failure`` is what ended the last run: said here only where no latched error says the same.
    ``running``: the line was started, so that what is missing is missed.
    """
    errors = [_of_error(error) for error in standing.errors]
    said = failure is None or any(failure.endswith(error.sentence) for error in errors)
    ended = [] if said or failure is None else [Entry("Run", failure)]
    missed = running and hold_of(standing) is not Hold.STARTING
    missing = [
        Entry(part_of_station(check.name), check.sentence, seen=True)
        for check in (standing.missing if missed else ())
    ]
    return tuple(sorted([*errors, *ended, *missing], key=lambda entry: not entry.holds))


def have_new(now: Sequence[Entry], seen: Sequence[Entry]) -> bool:
    """Whether something is to be acknowledged ``now`` that was not among what was ``seen``; that a
    cause has gone meanwhile is nothing new."""
    known = {(entry.what, entry.sentence) for entry in seen}
    return any((entry.what, entry.sentence) not in known for entry in now if not entry.seen)


def _of_error(error: LatchedError) -> Entry:
    return Entry(
        what=part_of_error(error.code),
        sentence=error.sentence,
        facts=" · ".join(_facts(error)),
        holds=error.blocks,
        seen=error.acknowledged_by is not None,
    )


def _facts(error: LatchedError) -> list[str]:
    since, lasting = date_time(error.since), KINDS[error.code].lasting
    facts = [f"since {since}" if lasting else since]
    if error.count > 1:
        facts.append(f"{error.count} times, last {clock_time(error.last_at)}")
    if lasting:
        gone = error.resolved_at
        remains = "its cause remains"
        facts.append(remains if gone is None else f"its cause has gone, {clock_time(gone)}")
    if error.acknowledged_by is not None:
        facts.append(f"acknowledged by {error.acknowledged_by}")
    return facts
