"""A session that needs no camera and no model, and a window on it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import shiboken6
from pytestqt.qtbot import QtBot

from engine.types import Prediction
from inspector.db.history import History
from inspector.db.log import InspectionLog
from inspector.pipeline.control import Control
from inspector.pipeline.events import EventCode
from inspector.pipeline.inspection import Inspection, Verdict
from inspector.pipeline.latched import LatchedError
from inspector.pipeline.readiness import Check
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Owner, Standing
from inspector.ui.mailbox import Mailbox
from inspector.ui.screen import ScreenState
from inspector.ui.screen_sink import ScreenSink
from inspector.ui.session import Health, StatusItem
from inspector.ui.theme import Scale
from inspector.ui.window import StationWindow
from inspector.ui.worker import Worker
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.pipeline_parts import frame, score_map

WELL = Standing(State.CONTINUOUS_EXECUTION, False, Owner.PERSON, (), ())
GOOD_DISK = StatusItem("Disk", "41 GB free", Health.GOOD)


def standing(
    state: State, *errors: LatchedError, missing: Sequence[Check] = (), owner: Owner = Owner.PERSON
) -> Standing:
    """How a station stands that has these errors, and lacks this."""
    return Standing(state, False, owner, errors, tuple(missing))


@dataclass
class ScriptedSession:
    """Shows ``verdicts`` one after another, for ever where there are none; then ``failure``."""

    verdicts: Sequence[Verdict] | None = None
    failure: BaseException | None = None
    title: str = "Press 4"
    repeatable: bool = True
    shown: list[Inspection] = field(default_factory=list)
    closed: bool = False
    acknowledged: list[str] = field(default_factory=list)
    told: list[tuple[EventCode, str]] = field(default_factory=list)
    stands: Standing = WELL

    def run(self, control: Control, screen: ScreenSink) -> None:
        try:
            for number in control.gate(self._numbers()):
                verdict = self.verdicts[number] if self.verdicts else Verdict.OK
                self.shown.append(screen.write(part(number, verdict)))
                time.sleep(0.001)
            if self.failure is not None:
                raise self.failure
        finally:
            self.closed = True

    def status(self) -> Sequence[StatusItem]:
        return [GOOD_DISK]

    def standing(self) -> Standing:
        return self.stands

    def acknowledge(self, person: str) -> None:
        self.acknowledged.append(person)

    def tell(self, code: EventCode, text: str) -> None:
        self.told.append((code, text))

    def _numbers(self) -> Iterator[int]:
        return count() if self.verdicts is None else iter(range(len(self.verdicts)))


class OnePartThenNone(ScriptedSession):
    """Runs on after its only part, as a line does whose feeder is empty."""

    def run(self, control: Control, screen: ScreenSink) -> None:
        screen.write(part(0))
        for _ in control.gate(count()):
            time.sleep(0.002)


def part(number: int, verdict: Verdict = Verdict.OK) -> Inspection:
    """One part; an NG has a hot spot in its map as well."""
    if verdict is not Verdict.NG:
        return inspection(number, verdict)
    hot = Prediction(0.9, score_map([(5, 6)]), "disc", {"infer": 3.0})
    return inspection(number, verdict, prediction=hot)


def part_with_picture(value: int, height: int, width: int) -> Inspection:
    """One OK part with an even grey picture and no map."""
    image = np.full((height, width, 3), value, np.uint8)
    return inspection(0, frame=frame(0, image), prediction=None, map_threshold=None)


def write_database(path: Path, parts: Sequence[Inspection]) -> None:
    """A database with these records."""
    with InspectionLog(path, run_info()) as log:
        for one in parts:
            log.write(one)


def sign_in(qtbot: QtBot, window: StationWindow, name: str, password: str) -> None:
    """Open the card where it is not, fill it in and give it off; the answer comes later."""
    card = window.people.card
    if not card.isVisible():
        window.bar.who.button.click()
    card.name.clear()
    qtbot.keyClicks(card.name, name)
    qtbot.keyClicks(card.password, password)
    card.enter.click()


@contextmanager
def opened_window(
    qtbot: QtBot, folder: Path, session: ScriptedSession, **options: object
) -> Iterator[tuple[StationWindow, Worker]]:
    """A window on the session, on an empty database; closed, and the worker ended, after."""
    path = folder / "inspector.db"
    write_database(path, [])
    mailbox: Mailbox[ScreenState] = Mailbox()
    worker = Worker(session, ScreenSink(mailbox))
    with History(path) as history:
        window = StationWindow(
            worker,
            mailbox,
            history,
            title=session.title,
            pictures=folder,
            status=session.status,
            scale=Scale(96),
            **options,  # type: ignore[arg-type]
        )
        window.resize(1024, 700)
        window.show()
        try:
            yield window, worker
        finally:
            window.close()
            qtbot.waitUntil(lambda: not window.isVisible())
            shiboken6.delete(window)  # not left to a garbage collection in some other thread
