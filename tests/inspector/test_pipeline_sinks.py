from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import pytest

from engine.types import DatabaseError
from inspector.pipeline.inspection import Inspection, Verdict
from inspector.pipeline.sinks import run
from tests.inspector.pipeline_parts import NOON, frame


@dataclass
class Notebook:
    """A sink that notes what happens to it in a book shared with others, and adds a stage."""

    name: str
    book: list[str] = field(default_factory=list)
    fails_at: int | None = None

    def __enter__(self) -> Self:
        self.book.append(f"{self.name} opens")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.book.append(f"{self.name} closes")

    def write(self, inspection: Inspection) -> Inspection:
        if inspection.frame.frame_id == self.fails_at:
            raise DatabaseError("refused")
        self.book.append(f"{self.name} {inspection.frame.frame_id} {list(inspection.stages_ms)}")
        return replace(inspection, stages_ms={**inspection.stages_ms, self.name: 1.0})


def parts(number: int) -> Iterator[Inspection]:
    for i in range(number):
        yield Inspection(str(i), frame(i), Verdict.OK, None, "disc", NOON)


def test_each_sink_sees_what_those_before_it_added() -> None:
    book: list[str] = []
    run(parts(2), [Notebook("a", book), Notebook("b", book)])

    assert book == [
        *("a opens", "b opens"),
        *("a 0 []", "b 0 ['a']", "a 1 []", "b 1 ['a']"),
        *("b closes", "a closes"),
    ]


def test_a_verdict_whose_record_is_refused_reaches_nobody_and_ends_the_run() -> None:
    book: list[str] = []
    with pytest.raises(DatabaseError):
        run(parts(3), [Notebook("log", book, fails_at=1), Notebook("screen", book)])

    assert [line for line in book if line.startswith("screen")] == [
        "screen opens",
        "screen 0 ['log']",
        "screen closes",
    ]


@pytest.mark.parametrize("fails_at", [None, 1])
def test_what_is_held_meanwhile_is_left_before_any_sink_closes(fails_at: int | None) -> None:
    book: list[str] = []
    with suppress(DatabaseError):
        run(
            parts(3), [Notebook("log", book, fails_at), Notebook("b", book)], Notebook("held", book)
        )

    assert book[2] == "held opens"
    assert book[-3:] == ["held closes", "b closes", "log closes"]
