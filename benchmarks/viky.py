"""Three simulated GenICam cameras at once, as a station has them: is every frame accounted for?

    python benchmarks/viky.py --minutes 10

Each is a :class:`SupervisedCamera` in a thread of its own: a process with a producer, a ring of
shared memory, a keeper. Three count: the thread what it received, the keeper what its process
handed over, the process what it fetched. Of the ids that the camera gave, from the first to the
last, each has to be a frame that was received, a gap, or a frame that still waited at the end; all
sides have to agree, and the ids have to follow the camera's own. Exits 1 where anything is
unaccounted, and where a camera was lost: what passed meanwhile nobody knows.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import monotonic

from inspector.camera.base import Frame, FrameFault
from inspector.camera.genicam_options import LEAST_BUFFERS
from inspector.camera.keeper import CameraHealth, Link, LinkChange
from inspector.camera.supervised import SupervisedCamera

SERIALS = ("0", "1", "2")
PATIENCE_S = 60.0  # beyond the time asked for, a camera that gives nothing is left
COLUMNS = (
    *("camera", "ids", "received", "incomplete", "lost (gaps)", "of them dropped by us"),
    *("at the end", "longest wait"),
    *("in the ring", "accounted for"),
)


@dataclass
class Tally:
    """What reached the station of one camera, and at the end the camera's health."""

    received: int = 0
    faults: Counter[FrameFault] = field(default_factory=Counter)
    gaps: int = 0
    lost: int = 0
    last: int = -1
    own: tuple[int, int] | None = None
    began: float = 0.0
    heard: float = 0.0
    longest_s: float = 0.0
    in_ring_ms: float = 0.0
    losses: SimpleQueue[str] = field(default_factory=SimpleQueue)
    health: CameraHealth = field(default_factory=CameraHealth)

    def hear(self, change: LinkChange) -> None:
        if change.link is Link.LOST:
            self.losses.put(change.sentence)

    def take(self, frame: Frame) -> None:
        now = monotonic()
        if self.received == 0:
            self.began = self.heard = now
        self.received += 1
        missing = frame.frame_id - self.last - 1
        self.lost, self.gaps, self.last = (
            self.lost + missing,
            self.gaps + (missing > 0),
            frame.frame_id,
        )
        if frame.fault is not None:
            self.faults[frame.fault] += 1
        if frame.source:
            own = int(frame.source) - frame.frame_id  # the same for every frame of an opening
            self.own = (
                (own, own) if self.own is None else (min(*self.own, own), max(*self.own, own))
            )
        self.longest_s, self.heard = max(self.longest_s, now - self.heard), now
        self.in_ring_ms = max(self.in_ring_ms, frame.queue_ms)

    def is_over(self, seconds: float) -> bool:
        return self.received > 0 and monotonic() - self.began > seconds

    @property
    def ids(self) -> int:
        """How many the camera gave, as its own process counted them."""
        return int(self.health.values.get("frames", 0) + self.health.values.get("lost", 0))

    def unaccounted(self) -> list[str]:
        """What does not add up, in words."""
        health, process = self.health, self.health.values
        if self.own is None or not process:
            return ["no frame came, or its process did not come to its end"]
        after = health.lost - self.lost  # gaps between frames that still waited at the end
        checks = {
            "all ids": (self.received + self.lost + health.passed_over + after, self.ids),
            "frames, the keeper's": (health.frames, self.received + health.passed_over),
            "frames, the process's": (process["frames"], health.frames + process["dropped"]),
            "lost, the keeper's": (health.lost, process["lost"] + process["dropped"]),
            "incomplete, the keeper's": (health.incomplete, process["incomplete"]),
            "ids, the camera's own": self.own[::-1],
            "restarts of the camera's count": (process["restarts"], 0),
            "losses of the camera": (health.losses, 0),
        }
        wrong = [
            f"{name}: {one:g} is not {other:g}"
            for name, (one, other) in checks.items()
            if one != other
        ]
        return wrong + (["gaps that the keeper did not see"] if after < 0 else [])

    def row(self, serial: str) -> str:
        spoilt = self.faults.total() - self.faults[FrameFault.INCOMPLETE]
        cells = (
            serial,
            self.ids,
            f"{self.received - self.faults.total()}" + (f" + {spoilt} spoilt" if spoilt else ""),
            self.faults[FrameFault.INCOMPLETE],
            f"{self.lost} ({self.gaps})",
            int(self.health.values.get("dropped", 0)),
            self.health.passed_over + self.health.lost - self.lost,
            f"{self.longest_s * 1e3:.0f} ms",
            f"{self.in_ring_ms:.0f} ms",
            "; ".join(self.unaccounted()) or "every id",
        )
        return _line(cells)


def _line(cells: tuple[object, ...]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def watch(serial: str, fps: float, seconds: float, buffers: int) -> Tally:
    """One camera for so long, from its first frame on; what arrived of it."""
    tally, latest = Tally(), monotonic() + seconds + PATIENCE_S
    size = f"Width=320&Height=240&buffers={buffers}"
    spec = f"genicam:{serial}@viky?AcquisitionFrameRate={fps:g}&{size}"

    def stopped() -> bool:
        return tally.is_over(seconds) or monotonic() > latest

    with SupervisedCamera(spec, tell=tally.hear, stopped=stopped) as camera:
        for frame in camera.frames():
            tally.take(frame)
        tally.health = camera.health_now()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--buffers", type=int, default=LEAST_BUFFERS)
    asked = parser.parse_args()
    started = monotonic()
    with ThreadPoolExecutor(len(SERIALS)) as threads:
        running = {
            serial: threads.submit(watch, serial, asked.fps, asked.minutes * 60, asked.buffers)
            for serial in SERIALS
        }
    tallies = {serial: future.result() for serial, future in running.items()}
    took_min = (monotonic() - started) / 60
    each = f"{asked.fps:g} frames/s and {asked.buffers} buffers each"
    print(f"{len(SERIALS)} cameras, {each}, {took_min:.1f} min\n")
    print(_line(COLUMNS), _line(("---",) * len(COLUMNS)), sep="\n")
    for serial, tally in tallies.items():
        print(tally.row(serial))
    for serial, tally in tallies.items():
        while not tally.losses.empty():
            print(f"Camera {serial} was lost: {tally.losses.get()}")
    return int(any(tally.unaccounted() for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
