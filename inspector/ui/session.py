"""What the window asks of the program round it: something to run, and facts to show.

The window chooses no camera, no model and no database; the application does, and hands over one
object that fits :class:`Session`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from inspector.pipeline.control import Control
from inspector.pipeline.events import EventCode
from inspector.pipeline.station_state import Standing
from inspector.ui.screen_sink import ScreenSink


class Health(Enum):
    """How one part of the station is; a shape stands beside each, never the colour alone."""

    GOOD = "good"
    UNKNOWN = "unknown"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class StatusItem:
    """One item of the status strip: "Disk", "41 GB free", good; ``detail`` is the tooltip."""

    name: str
    text: str
    health: Health
    detail: str = ""


class Session(Protocol):
    """One station, made ready by the application; the window only runs and shows it."""

    title: str
    """Stands in the title bar: the station, the line, "Demo"."""
    repeatable: bool
    """Whether ``run`` may be called again once it has returned (a demo of N parts: no)."""

    def run(self, control: Control, screen: ScreenSink) -> None:
        """Inspect until the camera ends or ``control`` says stop. Called in the worker thread.

        The camera is opened and closed in here, so that a new start finds it free. Whatever it
        raises is shown to the person at the line and raised again when the window closes.
        """
        ...

    def status(self) -> Sequence[StatusItem]:
        """State, camera, model, lines, database, disk, as they are now. Called every two seconds,
        and when the standing changes, in a thread that is neither the GUI's nor the worker's: read
        only, and nothing the loop holds."""
        ...

    def standing(self) -> Standing:
        """How the station stands now: state, errors, what is missing. Called thirty times a second
        in the GUI's thread: it returns at once."""
        ...

    def acknowledge(self, person: str) -> None:
        """``person``, by name, has read what went wrong: errors that wait for it may go."""
        ...

    def tell(self, code: EventCode, text: str) -> None:
        """Keep as an event, with the time, what happened at the window; ``text`` is one sentence.
        It returns at once."""
        ...
