"""Keeps one camera's process: listens to it, and where it is lost opens it again without hands.

One thread listens. It copies pictures out of shared memory, notes every sign of life, and where
the process ends, fails or falls silent, it says so, kills it, and opens the camera anew with
growing pauses. Whoever waits for pictures only waits meanwhile.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, repeat
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TypeAlias

from engine.types import KnownError
from inspector.camera.base import Frame, FrameFault, Setting
from inspector.camera.messages import Beat, Begin, Begun, Ended, Fire, Left, Opened, Taken
from inspector.camera.process import CameraProcess

TURN_S: Final = 0.1
PAUSES_S: Final = (0.1, 0.5, 1.0, 2.0)
"""Before each attempt to open a lost camera; the last one again and again."""
STEADY_S: Final = 5.0
"""A camera that was open for so long begins with the first pause again."""


class Link(StrEnum):
    """How a camera stands with the station."""

    CLOSED = "closed"
    OPEN = "open"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A camera was lost, or is back; ``sentence`` says why it was lost, or which of its settings
    are others than before."""

    camera: str
    link: Link
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """A moment of a camera's health. ``frame_age_s`` is None before the first frame.

    ``frames`` counts all that the camera's process fetched, ``incomplete`` those of them that came
    so, ``lost`` the ids between them that never came. ``passed_over`` counts frames that nobody
    received: those that a trigger had not asked for and, after its end, those that still waited.
    ``losses`` is how often the whole camera was lost; ``values`` are its own measurements
    (temperature, link).
    """

    link: Link = Link.CLOSED
    sentence: str = ""
    frame_age_s: float | None = None
    frames: int = 0
    incomplete: int = 0
    lost: int = 0
    passed_over: int = 0
    losses: int = 0
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame that waits for the station. ``epoch`` counts the openings of the camera.

    ``release`` gives its slot back: call it once the frame is taken, or nothing more comes.
    """

    frame: Frame
    epoch: int
    sent_s: float
    release: Callable[[], None]


@dataclass(frozen=True, slots=True)
class End:
    """No more pictures; ``error`` says why, where the camera did not simply end."""

    error: BaseException | None = None


Item: TypeAlias = Picture | End
Tell: TypeAlias = Callable[[LinkChange], None]


class Keeper:
    """A context manager: open inside, closed for certain outside.

    :meth:`open` first, which raises what is wrong with the camera; :meth:`start` then listens.
    ``tell`` is called from the listening thread. ``silence_s``: a process without a frame or a
    sign of life for so long is lost, None for the camera's own; ``open_s`` is what opening may
    take.
    """

    def __init__(
        self,
        spec: str,
        tell: Tell,
        silence_s: float | None,
        open_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._spec, self._tell = spec, tell
        self._silence_s, self._open_s, self._clock = silence_s, open_s, clock
        self.items: SimpleQueue[Item] = SimpleQueue()
        self._lock = Lock()  # of the six that follow: any thread may ask
        self._health = CameraHealth()
        self._last_frame_s: float | None = None
        self._process: CameraProcess | None = None
        self._epoch = 0
        self._doubt: str | None = None
        self._in_effect: Mapping[str, Setting] = MappingProxyType({})
        self._next_id = self._first_id = 0
        self._opened_s, self._hurried = 0.0, 0
        self._begun, self._closing = Event(), Event()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._hear_out()
        self._drop()
        self._note(link=Link.CLOSED)

    def open(self, stopped: Callable[[], bool] = lambda: False) -> Opened | None:
        """Start the process and wait until the camera is open.

        None where ``stopped`` says so meanwhile, or this keeper is closed: the process has then two
        seconds to let go of the camera. :class:`engine.types.KnownError` where it cannot be opened.
        """
        with ExitStack() as unless_open:
            process = unless_open.enter_context(CameraProcess(self._spec, clock=self._clock))
            opened = self._await_open(process, stopped)
            if opened is None:
                return None
            unless_open.pop_all()
        with self._lock:
            self._process, self._doubt = process, None
            self._in_effect = MappingProxyType(opened.in_effect)
            self._epoch += 1
        self._first_id, self._opened_s = self._next_id, self._clock()
        self._note(link=Link.OPEN, sentence="")
        return opened

    def start(self, opened: Opened) -> None:
        """Take pictures, and listen, from now on."""
        self._begin()
        self._thread = Thread(
            target=self._keep, args=(opened,), name=f"camera {opened.name}", daemon=True
        )
        self._thread.start()

    def await_begun(self, timeout_s: float) -> bool:
        """Whether there is nothing to wait for: it takes pictures, or has ended before it did."""
        over = self._thread is not None and not self._thread.is_alive()
        return over or self._begun.wait(timeout_s)

    def health(self) -> CameraHealth:
        """How the camera is; from any thread."""
        with self._lock:
            age = None if self._last_frame_s is None else self._clock() - self._last_frame_s
            return replace(self._health, frame_age_s=age)

    def in_effect(self) -> Mapping[str, Setting]:
        """What the camera said of its settings when it was opened last; from any thread."""
        with self._lock:
            return self._in_effect

    def fire(self) -> int | None:
        """One software trigger; to which opening of the camera, None where it is lost."""
        with self._lock:
            if self._process is None or self._doubt is not None:
                return None
            self._process.send(Fire())
            return self._epoch

    def distrust(self, epoch: int, why: str) -> None:
        """What this opening of the camera says next is not to be believed: open it anew."""
        with self._lock:
            if self._process is not None and self._epoch == epoch:
                self._doubt = why
                self._health = replace(self._health, link=Link.LOST, sentence=why)
                self._process.kill()

    def pass_over(self, picture: Picture) -> None:
        """Nobody wants this one: its slot is given back, and it is counted."""
        picture.release()
        self._skip()

    def _skip(self) -> None:
        with self._lock:
            self._health = replace(self._health, passed_over=self._health.passed_over + 1)

    def _await_open(self, process: CameraProcess, stopped: Callable[[], bool]) -> Opened | None:
        while not self._closing.is_set() and not stopped():
            message = process.hear(TURN_S, self._open_s)
            if isinstance(message, Opened):
                return message
        return None

    def _keep(self, opened: Opened) -> None:
        error: BaseException | None = None
        try:
            while (loss := self._listen(opened)) is not None:
                if not opened.live:
                    raise loss
                self._lose(opened.name, loss)
                self._reopen(opened.name)
        except BaseException as raised:  # noqa: BLE001  a thread's border: raised in the station's
            error = raised
        self.items.put(End(error))

    def _listen(self, opened: Opened) -> KnownError | None:
        """Until the camera ends or this keeper closes (None), or the camera is lost: why.

        The first word after opening may take as long as opening may, and so may each word of a
        source that nobody waits for.
        """
        process, patience_s = self._process, self._open_s
        assert process is not None  # opened
        try:
            while not self._closing.is_set():
                message = process.hear(TURN_S, patience_s)
                if opened.live and message is not None:
                    patience_s = self._silence_s or opened.silence_s
                if isinstance(message, Ended):
                    return None
                if isinstance(message, Begun):
                    self._begun.set()
                if isinstance(message, Beat):
                    self._note(values=message.values)
                if isinstance(message, Taken):
                    self._take(process, message)
        except KnownError as error:
            return error
        return None

    def _take(self, process: CameraProcess, taken: Taken) -> None:
        frame, release = process.fetch(taken)
        counted = self._counted(frame)
        self.items.put(Picture(counted, self._epoch, taken.sent_s, release))

    def _counted(self, frame: Frame) -> Frame:
        """The frame with its id among those of all openings."""
        frame = replace(frame, frame_id=self._first_id + frame.frame_id)
        with self._lock:
            was, self._last_frame_s = self._health, self._clock()
            self._health = replace(
                was,
                frames=was.frames + 1,
                incomplete=was.incomplete + (frame.fault is FrameFault.INCOMPLETE),
                lost=was.lost + max(0, frame.frame_id - self._next_id),
            )
        self._next_id = frame.frame_id + 1
        return frame

    def _hear_out(self) -> None:
        """The camera lets go. What it took and nobody received, here or on its way, is counted."""
        with suppress(Empty):
            while True:
                if isinstance(self.items.get_nowait(), Picture):
                    self._skip()
        for message in () if self._process is None else self._process.last_words():
            if isinstance(message, Left):
                self._note(values=message.values)
            if isinstance(message, Taken | Left) and message.frame is not None:
                self._counted(message.frame)
                self._skip()

    def _lose(self, camera: str, loss: KnownError) -> None:
        with self._lock:
            sentence = self._doubt or str(loss)
            losses = self._health.losses + 1
            self._health = replace(self._health, link=Link.LOST, sentence=sentence, losses=losses)
        self._tell(LinkChange(camera, Link.LOST, sentence))
        self._drop()

    def _reopen(self, camera: str) -> None:
        """Try for ever; returns open, or closing."""
        steady = self._clock() - self._opened_s > STEADY_S
        self._hurried = 0 if steady else self._hurried + 1
        before = self.in_effect()
        pauses = PAUSES_S[min(self._hurried, len(PAUSES_S) - 1) :]
        for pause in chain(pauses, repeat(PAUSES_S[-1])):
            if self._closing.wait(pause):
                return
            try:
                opened = self.open()
                if opened is not None:
                    self._begin()
                    self._hear_it_begin()
            except KnownError as error:
                self._drop()
                self._note(link=Link.LOST, sentence=str(error))
                continue
            if opened is not None and not self._closing.is_set():
                self._tell(LinkChange(camera, Link.OPEN, changes(before, opened.in_effect)))
            return

    def _hear_it_begin(self) -> None:
        """It is back once it takes pictures: a trigger that came before would find nobody."""
        process = self._process
        assert process is not None  # opened
        while not self._closing.is_set():
            message = process.hear(TURN_S, self._open_s)
            if isinstance(message, Begun):
                self._begun.set()
                return
            if isinstance(message, Beat):
                self._note(values=message.values)

    def _begin(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.send(Begin())

    def _drop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.__exit__(None, None, None)

    def _note(self, **changes: Any) -> None:
        with self._lock:
            self._health = replace(self._health, **changes)


def changes(before: Mapping[str, Setting], now: Mapping[str, Setting]) -> str:
    """In which settings a camera came back otherwise, in one sentence; "" where in none."""
    names = [name for name in {**before, **now} if str(before.get(name)) != str(now.get(name))]
    others = [
        f"{name} is {now.get(name, 'gone')}, was {before.get(name, 'none')}" for name in names
    ]
    return f"It came back with other settings: {'; '.join(others)}." if others else ""
