"""`inspector demo`: a simulated camera, the real engine, a real database, and the window."""

import json
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

import typer
from rich.console import Console
from rich.progress import Progress

from inspector.app import run_headless, run_windowed
from inspector.demo.assets import RECIPE, cached_plan
from inspector.demo.report import Report
from inspector.pipeline.inspection import Inspection
from inspector.settings import StationSettings
from inspector.station import StationSession
from inspector.ui.display import display_problem

GRAB_DEADLINE_MS = 1500
PACE_FPS = 2  # slow enough to watch in the window; headless runs as fast as it can


def demo(
    parts: Annotated[int, typer.Option(help="Parts to inspect.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the simulated line.", min=0)] = 1,
    out: Annotated[Path, typer.Option(help="Folder of database and pictures.")] = Path(
        "promptmad-demo"
    ),
    headless: Annotated[bool, typer.Option("--headless", help="No window.")] = False,
    faults: Annotated[
        float, typer.Option(help="Share of frames the camera spoils.", min=0, max=0.5)
    ] = 0.0,
    runtime: Annotated[
        Literal["openvino", "onnxruntime"], typer.Option(help="What runs the model.")
    ] = "openvino",
    precision: Annotated[
        Literal["f32", "bf16"], typer.Option(help="Arithmetic, pinned; bf16 with openvino only.")
    ] = "f32",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Inspect a simulated line: four products, eight kinds of defect, real engine and database."""
    console = Console(stderr=True)
    problem = None if headless else display_problem()
    windowed = not headless and problem is None
    if problem is not None:
        console.print(f"{problem} Running without a window.", soft_wrap=True)
    plan, fps = cached_plan(runtime, precision, console.print), PACE_FPS if windowed else None
    settings = settings_for(plan, out, parts=parts, seed=seed, faults=faults, fps=fps)
    session = StationSession(settings, repeatable=False)
    if windowed:
        run_windowed(session)
    else:
        with Progress(console=console) as progress:
            run_headless(session, ProgressScreen(progress, parts))
    report = Report.of(session)
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        report.show(Console())


def settings_for(
    plan: Path, out: Path, *, parts: int, seed: int, faults: float = 0.0, fps: float | None = None
) -> StationSettings:
    """A station before the simulated line; ``fps`` None runs as fast as it can."""
    return StationSettings(
        name="Demo line",
        camera=camera_spec(parts, seed, faults, fps),
        plan=plan,
        recipe=RECIPE,
        out=out.resolve(),
        grab_deadline_ms=GRAB_DEADLINE_MS,
    )


def camera_spec(parts: int, seed: int, faults: float, fps: float | None) -> str:
    """The simulated camera as ``open_camera`` takes it; ``faults`` is shared by five kinds."""
    options: dict[str, object] = {"parts": parts, "seed": seed, "defect_rate": 0.25}
    if faults:
        kinds = ("lost", "late", "incomplete", "black", "frozen")
        options |= dict.fromkeys(kinds, faults / len(kinds))
    if fps is not None:
        options["fps"] = fps
    query = "&".join(f"{key}={value}" for key, value in options.items())
    return f"sim:disc,label,fabric,board?{query}"


class ProgressScreen:
    """A bar in place of a screen."""

    def __init__(self, progress: Progress, parts: int) -> None:
        self._progress, self._task = progress, progress.add_task("inspecting", total=parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The progress bar belongs to the caller."""

    def write(self, inspection: Inspection) -> Inspection:
        self._progress.advance(self._task)
        return inspection
