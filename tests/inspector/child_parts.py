"""A camera's process round a camera that a test describes in a file: all but the camera is real."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from inspector.camera import child
from inspector.camera.base import Frame, Setting
from inspector.camera.simulated import SimulatedCamera


class DescribedCamera(SimulatedCamera):
    """``in_effect`` is what it says of itself; opening it takes ``opening_s``, and ``starting_s``
    until it takes pictures; ``hardware`` is what triggers it. It notes beside its file that it
    begins to open, that it takes pictures, and that it let go."""

    def __init__(self, file: Path, alive: Callable[[], None]) -> None:
        super().__init__(["disc"], size=64, fps=50, alive=alive)
        self._file = file
        self._described: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        self.queues = self._described.get("hardware", False)

    def __enter__(self) -> Self:
        self._file.with_suffix(".opening").touch()
        time.sleep(self._described.get("opening_s", 0.0))
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._file.with_suffix(".let_go").touch()

    def frames(self) -> Iterator[Frame]:
        time.sleep(self._described.get("starting_s", 0.0))
        self._file.with_suffix(".taking").touch()
        return super().frames()

    @property
    def in_effect(self) -> Mapping[str, Setting]:
        said: Mapping[str, Setting] = self._described.get("in_effect", {})
        return said


def serve_described(spec: str, ring_name: str, said: Connection, commands: Connection) -> None:
    """In place of :func:`inspector.camera.child.serve`; ``spec`` is the file's path."""
    child.open_camera = lambda spec, alive: DescribedCamera(Path(spec), alive)  # type: ignore[attr-defined]
    child.serve(spec, ring_name, said, commands)
