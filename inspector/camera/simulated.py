"""A simulated line as a camera: rendered parts, known truth, and a dial for camera faults.

Product code: the demo, the tests and a station without a camera run on it. What happens at a
trigger is drawn from the seed and the trigger's number alone, so that any run can be repeated.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from enum import Enum
from itertools import count
from pathlib import Path
from threading import Semaphore
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np

from engine.types import Image, InputError, MissingError
from inspector.camera.base import Camera, Frame, FrameFault, GroundTruth
from inspector.camera.parts import optics
from inspector.camera.parts.render import FAMILIES, SIZES, part_seed, render
from inspector.clock import utc_now

LATE_MS = 2_000.0  # what a late frame takes beyond its own time
TRIGGERS = ("none", "software")
QUICK = 512  # up to so many px a part is drawn within a second, on any machine
SLOW_S = 30.0  # what a larger one may take
TURN_S = 0.25  # at most so long without a sign of life


@dataclass(frozen=True, slots=True)
class FaultRates:
    """The dial: the share of triggers that go wrong, by kind; one kind a trigger at most.

    ``lost``: no frame, and its id is missing. ``late``: ``grab_ms`` is above LATE_MS.
    ``incomplete``: no picture, and the fault says so. ``black``: the lamp is off, noise only.
    ``frozen``: the picture before it once more, byte for byte.
    """

    lost: float = 0.0
    late: float = 0.0
    incomplete: float = 0.0
    black: float = 0.0
    frozen: float = 0.0

    def __post_init__(self) -> None:
        rates = astuple(self)
        if not (all(rate >= 0 for rate in rates) and sum(rates) <= 1):
            raise InputError(f"Fault rates are shares from 0 to 1, together at most 1: not {self}.")


class _Fault(Enum):
    LOST, LATE, INCOMPLETE, BLACK, FROZEN = (field.name for field in fields(FaultRates))


@dataclass(frozen=True, slots=True)
class _Trigger:
    """What one trigger is about to see, and what goes wrong with it."""

    number: int
    product: str
    defect: str | None
    seed: int
    fault: _Fault | None


class SimulatedCamera(Camera):
    """A camera over a line of simulated ``products``, in turn, or ``shuffled``.

    ``defect_rate`` of the parts are defective, each kind of defect as likely as the others;
    ``parts`` ends the line after so many triggers (None: never); ``fps`` paces it (None: as fast
    as it renders). Frames that went wrong carry no truth. A lost last part shows nowhere, as on
    a real line. ``fires``: a part comes for each :meth:`trigger`, and ``fps`` means nothing.
    ``plug``: the camera is there only while this file is. ``alive`` is called while the camera
    waits, four times a second. :class:`InputError` for a product, a size or a rate that cannot be.
    """

    triggered = True

    def __init__(
        self,
        products: Sequence[str] = tuple(FAMILIES),
        *,
        size: int = 256,
        seed: int = 0,
        defect_rate: float = 0.1,
        parts: int | None = None,
        fps: float | None = None,
        shuffled: bool = False,
        faults: FaultRates | None = None,
        fires: bool = False,
        plug: Path | None = None,
        alive: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        _check(products, size, seed, defect_rate, parts, fps)
        self.name = f"sim:{','.join(products)}"
        self._products, self._shuffled = tuple(products), shuffled
        self._size, self._seed, self._defect_rate = size, seed, defect_rate
        self._parts, self._fps, self._faults = parts, fps, faults or FaultRates()
        self._clock, self._timer, self._sleep = clock, timer, sleep
        self._plug, self._alive = plug, alive
        self.fires, self.live = fires, parts is None
        self._triggers = Semaphore(0)
        self.silence_s = SLOW_S if size > QUICK else type(self).silence_s
        self._is_open = False

    def __enter__(self) -> Self:
        self._require_plugged()
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False

    def frames(self) -> Iterator[Frame]:
        """The line from its first part on; ``grab_ms`` is what picturing the part took."""
        if not self._is_open:
            raise RuntimeError("frames() needs an open camera: use it as a context manager")
        return self._frames()

    def _frames(self) -> Iterator[Frame]:
        started, last = self._timer(), None
        for number in count() if self._parts is None else range(self._parts):
            self._wait(started, number)
            trigger = self._trigger(number)
            if trigger.fault is _Fault.LOST:
                continue
            frame = self._grab(trigger, last)
            last = last if frame.image is None else frame.image
            yield frame

    def trigger(self) -> None:
        if not self.fires:
            super().trigger()
        self._triggers.release()

    def _wait(self, started: float, number: int) -> None:
        """Until the trigger is due; a slow consumer is not made slower."""
        self._stay()
        if self.fires:
            while not self._triggers.acquire(timeout=TURN_S):
                self._stay()
        elif self._fps is not None:
            due = started + number / self._fps
            while (ahead := due - self._timer()) > 0:
                self._sleep(min(ahead, TURN_S))
                self._stay()

    def _stay(self) -> None:
        self._require_plugged()
        self._alive()

    def _require_plugged(self) -> None:
        if self._plug is not None and not self._plug.exists():
            raise MissingError(
                f"The camera {self.name} is not there: its plug is the file {self._plug}."
            )

    def _trigger(self, number: int) -> _Trigger:
        seeds = (zlib.crc32(b"triggers"), self._seed, number)
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seeds)))
        which, spoilt, kind, wrong = rng.random(4)
        turn = int(which * len(self._products)) if self._shuffled else number
        product = self._products[turn % len(self._products)]
        kinds = tuple(FAMILIES[product].defects)
        return _Trigger(
            number=number,
            product=product,
            defect=kinds[int(kind * len(kinds))] if spoilt < self._defect_rate else None,
            seed=part_seed("camera", self._seed, number),
            fault=_pick_fault(self._faults, wrong),
        )

    def _grab(self, trigger: _Trigger, last: Image | None) -> Frame:
        started = self._timer()
        image, truth = self._expose(trigger, last)
        late = LATE_MS if trigger.fault is _Fault.LATE else 0.0
        return Frame(
            frame_id=trigger.number,
            image=image,
            grabbed_at=self._clock(),
            grab_ms=(self._timer() - started) * 1e3 + late,
            camera=self.name,
            source=f"seed {self._seed}, part {trigger.number}",
            product=trigger.product,
            fault=FrameFault.INCOMPLETE if trigger.fault is _Fault.INCOMPLETE else None,
            truth=truth,
        )

    def _expose(
        self, trigger: _Trigger, last: Image | None
    ) -> tuple[Image | None, GroundTruth | None]:
        """The picture as the sensor hands it over, and the truth where nothing went wrong."""
        if trigger.fault is _Fault.INCOMPLETE:
            return None, None
        if trigger.fault is _Fault.BLACK:
            return optics.dark_frame(self._size, trigger.seed), None
        if trigger.fault is _Fault.FROZEN and last is not None:
            return last.copy(), None
        lamp = optics.drift(trigger.number)
        part = render(trigger.product, self._size, trigger.seed, trigger.defect, exposure=lamp)
        if trigger.fault is _Fault.LATE:
            return part.image, None
        return part.image, GroundTruth(part.defect, part.caption, part.mask)


def _pick_fault(rates: FaultRates, chance: float) -> _Fault | None:
    """The fault whose share of 0–1, laid end to end, ``chance`` falls into."""
    ends = np.cumsum(astuple(rates))
    index = int(np.searchsorted(ends, chance, side="right"))
    return list(_Fault)[index] if index < len(ends) else None


def _check(
    products: Sequence[str],
    size: int,
    seed: int,
    defect_rate: float,
    parts: int | None,
    fps: float | None,
) -> None:
    unknown = [product for product in products if product not in FAMILIES]
    if unknown or not products:
        name = f"no product {unknown[0]!r}" if unknown else "no line without products"
        raise InputError(f"There is {name} to simulate: take {', '.join(FAMILIES)}.")
    if size not in SIZES:
        raise InputError(f"A simulated picture is 64 to 2048 px wide, not {size}.")
    if not (seed >= 0 and 0 <= defect_rate <= 1):
        raise InputError(
            f"A simulated line wants a seed from 0 and a defect rate from 0 to 1, "
            f"not {seed} and {defect_rate}."
        )
    if (parts is not None and parts < 1) or (fps is not None and not fps > 0):
        raise InputError(f"A simulated line wants parts and fps above 0, not {parts} and {fps}.")


def simulated_camera(
    source: str, options: Mapping[str, str], alive: Callable[[], None] = lambda: None
) -> SimulatedCamera:
    """The camera of ``sim:disc,label?seed=1&size=256&parts=200&defect_rate=0.1&lost=0.01``.

    ``source`` names the products, or is "all". :class:`InputError` for an option there is not.
    """
    dials = {field.name for field in fields(FaultRates)}
    unknown = ", ".join(sorted(options.keys() - OPTIONS.keys() - dials))
    if unknown:
        known = ", ".join(sorted({*OPTIONS, *dials}))
        raise InputError(f"A sim camera has no option {unknown}: it has {known}.")
    values = {name: _number(name, text, OPTIONS.get(name, float)) for name, text in options.items()}
    faults = FaultRates(**{name: values.pop(name) for name in dials & values.keys()})
    products = tuple(FAMILIES) if source == "all" else tuple(source.split(","))
    if values.pop("trigger", "none") not in TRIGGERS:
        raise InputError(f"A sim camera's trigger is one of {', '.join(TRIGGERS)}.")
    fires = options.get("trigger") == "software"
    return SimulatedCamera(products, faults=faults, fires=fires, alive=alive, **values)


OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "seed": int,
        "size": int,
        "parts": int,
        "fps": float,
        "defect_rate": float,
        "trigger": str,
        "plug": Path,
    }
)


def _number(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"The camera's option {name} is a number, not {text!r}.") from None
