"""Three simulated GenICam cameras at once, each in its own process: is every frame accounted for?

    python benchmarks/viky.py --minutes 10

A camera's process counts what it fetched; this one, the station's, counts what reached it. Of the
ids, from the first to the last, each has to be a picture, an incomplete frame, or a gap; both sides
have to agree, and the ids have to follow the camera's own. Exits 1 where anything is unaccounted.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from queue import Empty
from time import monotonic
from typing import Any

from inspector.camera.base import Camera, FrameFault
from inspector.camera.open import open_camera

SERIALS = ("0", "1", "2")
PATIENCE_S = 10.0


@dataclass
class Tally:
    """What reached the station of one camera."""

    received: int = 0
    incomplete: int = 0
    spoilt: int = 0
    lost: int = 0
    first: int | None = None
    last: int = -1
    first_own: int = 0
    last_own: int = 0
    longest_s: float = 0.0
    heard_at: float = 0.0
    health: Mapping[str, float] | None = None

    def take(self, frame_id: int, fault: FrameFault | None, own: int) -> None:
        now = monotonic()
        if self.first is None:
            self.first, self.first_own = frame_id, own
        else:
            self.lost += frame_id - self.last - 1
            self.longest_s = max(self.longest_s, now - self.heard_at)
        self.last, self.last_own, self.heard_at = frame_id, own, now
        self.received += fault is None
        self.incomplete += fault is FrameFault.INCOMPLETE
        self.spoilt += fault is not None

    def faults(self) -> list[str]:
        """What does not add up, in words."""
        if self.health is None or self.first is None:
            return ["the camera's process did not come to its end"]
        said = self.health
        span = self.last + 1 - self.first
        checks = {
            "ids": (self.received + self.spoilt + self.lost, span),
            "frames, camera's side": (said["frames"], self.received + self.spoilt),
            "lost, camera's side": (said["lost"], self.lost),
            "incomplete, camera's side": (said["incomplete"], self.incomplete),
            "the camera's own ids": (self.last_own + 1 - self.first_own, span),
        }
        return [
            f"{name}: {one:g} is not {other}"
            for name, (one, other) in checks.items()
            if one != other
        ]


def opened(serial: str, fps: float) -> Camera:
    """One camera of the producer that the genicam package ships."""
    return open_camera(f"genicam:{serial}@viky?AcquisitionFrameRate={fps:g}&Width=320&Height=240")


def run_camera(serial: str, fps: float, seconds: float, station: Any) -> None:
    """A camera's process: every frame's id to the station, at the end its own counts."""
    with opened(serial, fps) as camera:
        ends = monotonic() + seconds
        for frame in camera.frames():
            station.put((serial, frame.frame_id, frame.fault, int(frame.source or -1)))
            if monotonic() > ends:
                break
        station.put((serial, camera.health()))  # type: ignore[attr-defined] # a GenICamCamera


def watch(minutes: float, fps: float) -> dict[str, Tally]:
    """Run the cameras; what arrived of each."""
    spawn = get_context("spawn")
    station = spawn.Queue()
    tallies = {serial: Tally() for serial in SERIALS}
    cameras = [
        spawn.Process(target=run_camera, args=(one, fps, minutes * 60, station), daemon=True)
        for one in SERIALS
    ]
    for camera in cameras:
        camera.start()
    while any(one.health is None for one in tallies.values()):
        try:
            serial, *said = station.get(timeout=PATIENCE_S)
        except Empty:
            break
        if len(said) == 1:
            tallies[serial].health = said[0]
        else:
            tallies[serial].take(*said)
    for camera in cameras:
        camera.join(PATIENCE_S)
    return tallies


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=30.0)
    asked = parser.parse_args()
    started = monotonic()
    tallies = watch(asked.minutes, asked.fps)
    took = monotonic() - started
    print(f"{len(SERIALS)} cameras, {asked.fps:g} frames/s each, {took / 60:.1f} min")
    print("camera  received  incomplete  lost  first id  last id  longest wait (ms)  accounted for")
    for serial, one in tallies.items():
        faults = "; ".join(one.faults()) or "yes"
        print(
            f"{serial:6}{one.received:10}{one.incomplete:12}{one.lost:6}{one.first or 0:10}"
            f"{one.last:9}{one.longest_s * 1e3:19.0f}  {faults}"
        )
    return int(any(one.faults() for one in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
