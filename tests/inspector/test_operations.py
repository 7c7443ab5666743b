"""docs/operations.md lists what there is: every code, every metric, every setting it names."""

import ast
import re
import tomllib
from pathlib import Path

import inspector
from inspector.monitor.metrics import MetricsSink
from inspector.pipeline.events import EventCode, StationEvent
from inspector.settings import LogSettings, MonitorSettings, PictureSettings
from tests.inspector.pipeline_parts import NOON

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8")


def rows(first_header: str) -> list[list[str]]:
    """The cells of the table whose first column is headed so."""
    lines = iter(TEXT.splitlines())
    for line in lines:
        if line.startswith(f"| {first_header} |"):
            break
    next(lines)
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_every_event_code_is_explained_with_its_level() -> None:
    listed = {row[0].strip("`"): row[1] for row in rows("code")}
    ours = {code.value: StationEvent(code, NOON, "").severity.name.lower() for code in EventCode}

    assert listed == ours


def test_every_event_code_is_one_that_somebody_says() -> None:
    """A code that only its own module names is an alarm that nobody will ever hear."""
    package = Path(inspector.__file__).parent
    modules = (path for path in package.rglob("*.py") if path.name != "events.py")
    named = {
        node.attr
        for module in modules
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == EventCode.__name__
    }

    assert named >= set(EventCode.__members__)


def test_every_metric_is_listed_with_its_labels(tmp_path: Path) -> None:
    listed = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows("metric")}

    assert set(listed) == exposed(MetricsSink([], tmp_path))
    assert listed["inspector_parts_total"] == {"verdict", "product"}
    assert listed["inspector_stage_seconds"] == {"stage"}


def exposed(sink: MetricsSink) -> set[str]:
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for family in sink.registry.collect()
    }


def test_the_settings_it_shows_are_settings_and_its_numbers_the_defaults() -> None:
    shown = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)]
    monitor, pictures = (
        block.get(key) for block, key in zip(shown, ("monitor", "pictures"), strict=True)
    )

    assert MonitorSettings.model_validate(monitor).host == "127.0.0.1"
    assert PictureSettings.model_validate(pictures) == PictureSettings(every_ok=100)
    assert (LogSettings().megabytes, LogSettings().files) == (10, 10)
