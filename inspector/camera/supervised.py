"""A camera in a process of its own, kept alive: to the station a camera like any other."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self, TypeAlias

from engine.types import MissingError
from inspector.camera.address import without_password
from inspector.camera.base import Camera, Frame, FrameFault, Setting
from inspector.camera.keeper import TURN_S, CameraHealth, End, Item, Keeper, LinkChange, Picture
from inspector.camera.messages import Opened
from inspector.clock import utc_now

LAST_S: Final = 0.25
"""After a stop, until the picture of the last trigger is here: whoever fires hears of the stop at
its next poll, and exposure and transfer take their time."""
UNASKED: Final = "A picture came that nobody asked for: the camera opens anew."
Shoot: TypeAlias = Callable[[float], Frame]


class SupervisedCamera(Camera):
    """The camera of ``spec`` (see :func:`inspector.camera.open.open_camera`), kept alive.

    ``tell`` hears of each loss and return at once, from a thread of the camera's own. ``stopped``
    ends the frames, within a tenth of a second, also while no frame comes; it is asked by the
    thread that iterates them. One that says so while that thread waits for the camera to open lets
    go of it, within two seconds: the camera is then not open, and has no frames. ``silence_s``: a
    camera without a frame or a sign of life for so long is lost (None: as long as cameras of its
    kind need, see :class:`Camera`); ``open_s`` is what opening may take.

    The first opening raises what is wrong, for a person is there. Later ones are tried for ever,
    of a live camera; one that is not (a folder, a file) would begin anew, and raises instead.
    Frame ids go on after a return: how many parts passed meanwhile, nobody knows but the line.
    """

    def __init__(
        self,
        spec: str,
        *,
        tell: Callable[[LinkChange], None] = lambda change: None,
        stopped: Callable[[], bool] = lambda: False,
        silence_s: float | None = None,
        open_s: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.triggered, self.live = without_password(spec), False, True
        self._stopped, self._clock = stopped, clock
        self._make = partial(Keeper, spec, tell, silence_s, open_s, clock)
        self._keeper = self._make()
        self._opened: Opened | None = None
        self._begun = False

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._keeper.__exit__(kind, error, trace)
        self._opened = None

    def health_now(self) -> CameraHealth:
        """How the camera is; from any thread."""
        return self._keeper.health()

    @property
    def in_effect(self) -> Mapping[str, Setting]:
        """As the camera said it when it was opened last, after a loss anew; from any thread."""
        return self._keeper.in_effect()

    @property
    def waits_for_hardware(self) -> bool:
        """Whether somebody else triggers it: whom a station lets begin, and tells to stop."""
        return self.triggered and self.queues and not self.fires

    def begin(self) -> None:
        """Have it take pictures before the first is asked for, and return once it does, or
        ``stopped`` says so: a trigger that comes before this would find nobody."""
        if self._opened is not None:
            self._keeper.start(self._opened)
            self._begun = True
            while not self._stopped() and not self._keeper.await_begun(TURN_S):
                pass

    def frames(self) -> Iterator[Frame]:
        """Frames until the camera ends or ``stopped`` says so: whoever asks on then gets those that
        had come by that time, and where hardware triggers, those a moment later. One loop at a
        time."""
        with self._kept() as keeper:
            while keeper is not None and not self._stopped():
                with suppress(Empty):
                    picture = _taken(keeper.items, TURN_S)
                    if picture is None:
                        return
                    yield self._received(picture)
            if keeper is not None:
                last_s = LAST_S if self.waits_for_hardware else 0.0
                yield from self._left_at_the_end(keeper, self._clock() + last_s)

    @contextmanager
    def shooting(self) -> Iterator[Shoot]:
        """For a camera that ``fires``: a function that triggers once, and waits so many seconds.

        A picture that has not come by then is :attr:`FrameFault.NO_FRAME`. Whose picture the next
        one is, is then not certain: the camera is opened anew before it is believed again, and so
        it is where a picture comes that nobody asked for. The frame's id is the camera's own;
        ``grab_ms`` is all the time since the trigger.
        """
        if not self.fires:
            raise RuntimeError(f"The camera {self.name} takes its own time: it has no trigger.")

        def shoot(patience_s: float) -> Frame:
            started = self._clock()
            picture = None if keeper is None else self._shoot(keeper, started + patience_s)
            frame = self._missing() if picture is None else self._received(picture)
            grab_ms = (self._clock() - started) * 1e3 - frame.queue_ms
            return replace(frame, grab_ms=grab_ms)

        with self._kept() as keeper:
            yield shoot

    def _left_at_the_end(self, keeper: Keeper, ended_s: float) -> Iterator[Frame]:
        with suppress(Empty):
            while picture := _taken(keeper.items, max(0.0, ended_s - self._clock())):
                if picture.sent_s > ended_s:
                    keeper.pass_over(picture)
                    return
                yield self._received(picture)

    def _shoot(self, keeper: Keeper, until_s: float) -> Picture | None:
        """The picture of one trigger, or None; pictures of earlier openings are passed over."""
        unasked, fired_s = _emptied(keeper), self._clock()
        epoch = keeper.fire()
        if epoch is None:
            return None
        if unasked == epoch:
            keeper.distrust(epoch, UNASKED)
            return None
        with suppress(Empty):
            while True:
                picture = _asked_for(keeper.items, max(0.0, until_s - self._clock()))
                if picture.epoch == epoch and picture.sent_s >= fired_s:
                    return picture
                keeper.pass_over(picture)
                if picture.epoch == epoch:
                    keeper.distrust(epoch, UNASKED)
                    return None
        keeper.distrust(epoch, "A trigger had no picture: the camera opens anew.")
        return None

    @contextmanager
    def _kept(self) -> Iterator[Keeper | None]:
        """The camera listened to, from :meth:`begin` or the first frame on: opened anew for a
        second loop. None where it was stopped while it opened."""
        if self._opened is None and not self._stopped():
            self._open()
        opened, self._opened = self._opened, None
        begun, self._begun = self._begun, False
        if opened is None:
            yield None
            return
        with self._keeper as keeper:
            if not begun:
                keeper.start(opened)
            yield keeper

    def _open(self) -> None:
        self._keeper = self._make()
        self._opened = opened = self._keeper.open(self._stopped)
        if opened is not None:
            self.name, self.triggered = opened.name, opened.triggered
            self.live, self.queues, self.fires = opened.live, opened.queues, opened.fires

    def _received(self, picture: Picture) -> Frame:
        """A folder's picture has not waited for the station: it was read ahead."""
        picture.release()
        waited_ms = (self._clock() - picture.sent_s) * 1e3 if self.live else 0.0
        return replace(picture.frame, queue_ms=max(0.0, waited_ms))

    def _missing(self) -> Frame:
        return Frame(0, None, utc_now(), 0.0, self.name, fault=FrameFault.NO_FRAME)


def _taken(items: SimpleQueue[Item], timeout_s: float) -> Picture | None:
    """The next picture, None where the camera ended; raises what the camera did not survive."""
    item = items.get(timeout=timeout_s)
    if isinstance(item, End):
        if item.error is not None:
            raise item.error
        return None
    return item


def _asked_for(items: SimpleQueue[Item], timeout_s: float) -> Picture:
    """The next picture of a camera that is triggered from here, which has no end of its own."""
    picture = _taken(items, timeout_s)
    if picture is None:
        raise MissingError("The camera has ended: it takes no trigger any more.")
    return picture


def _emptied(keeper: Keeper) -> int | None:
    """Take what waits already; the last opening of the camera that any of it came from."""
    epoch = None
    with suppress(Empty):
        while True:
            picture = _asked_for(keeper.items, 0.0)
            keeper.pass_over(picture)
            epoch = picture.epoch
    return epoch
