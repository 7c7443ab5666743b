"""What a plan says of itself, to this program and to older ones."""

import json
from pathlib import Path

import pytest

from engine.build import build
from engine.bundle import Bundle
from engine.plan import PLAN, read_plan
from engine.sealed import seal
from engine.types import BundleError


@pytest.fixture
def plan(tiny: Bundle, tmp_path: Path) -> Path:
    return build(tiny.folder, tmp_path / "plan", steps=0, runtime="onnxruntime", threads=1)


def _said(plan: Path, **change: object) -> None:
    said = json.loads((plan / PLAN).read_text())
    (plan / PLAN).write_text(json.dumps(said | change))
    seal(plan)


def test_a_plan_has_the_schema_that_knows_its_fields(plan: Path) -> None:
    """A program that knows schema 1 asks to be updated, instead of naming a field."""
    assert json.loads((plan / PLAN).read_text())["schema_version"] == 2


def test_a_plan_says_which_program_made_it(plan: Path) -> None:
    _said(plan, project_version="0.0.9")
    assert read_plan(plan).manifest.project_version == "0.0.9"


def test_a_plan_older_than_that_is_read(plan: Path) -> None:
    said = json.loads((plan / PLAN).read_text())
    said.pop("project_version")
    (plan / PLAN).write_text(json.dumps(said | {"schema_version": 1}))
    seal(plan)
    assert read_plan(plan).manifest.project_version == ""


def test_a_plan_of_a_newer_program_asks_for_an_update(plan: Path) -> None:
    _said(plan, schema_version=3, surprise=1)
    with pytest.raises(BundleError, match=r"schema 3, this program reads up to 2: update promptm"):
        read_plan(plan)


def test_a_field_of_a_newer_program_in_an_old_schema_asks_for_an_update(plan: Path) -> None:
    _said(plan, surprise=1)
    with pytest.raises(BundleError, match=r"surprise: .*; update promptmad-inspector, or build it"):
        read_plan(plan)
