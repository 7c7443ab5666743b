"""What a plan costs, from grab to commit, on the tiny bundle."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from onnx.helper import make_node
from typer.testing import CliRunner, Result

from engine.build import build
from engine.flops import gflop
from engine.plan import read_plan
from engine.types import InputError, UnknownProductError
from inspector.bench import _work, arithmetic, bench
from tests.engine.test_passes import model
from tests.engine.tiny import grey_picture, make_tiny_bundle

STAGES = [
    "grab",
    "check",
    "pre",
    "infer",
    "post",
    "judge",
    "draw",
    "save",
    "commit",
    "total",
]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("bench")
    return build(make_tiny_bundle(home / "bundle"), home / "plan", threads=1)


def call(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(bench)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_stage_of_both_verdicts_has_its_percentiles(plan: Path) -> None:
    said = json.loads(call(plan, "--rounds", 5, "--side-px", 96, "--json").stdout)
    for verdict in ("OK", "NG"):
        assert list(said[verdict]["stages_ms"]) == STAGES
        for stage in said[verdict]["stages_ms"].values():
            assert 0 <= stage["p50"] <= stage["p95"] <= stage["p99"]
        assert said[verdict]["parts_per_s"] > 0
        assert said[verdict]["rss_mb"] > 50
    assert said["NG"]["stages_ms"]["save"]["p50"] > said["OK"]["stages_ms"]["save"]["p50"]
    assert said["gflop"] == read_plan(plan).manifest.gflop
    assert said["share_of_peak"] == pytest.approx(
        said["infer_gflops"] / said["peak_gflops"], abs=2e-3
    )


def test_people_get_a_table(plan: Path, tmp_path: Path) -> None:
    for i in range(2):
        cv2.imwrite(str(tmp_path / f"{i}.png"), grey_picture(seed=i))
    shown = call(plan, "--rounds", 3, "--pictures", tmp_path, "--product", "label").stdout
    assert "NG, ms" in shown
    assert "this machine multiplies" in shown


def test_a_product_may_be_called_anything(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", ["M8 & M10?loop=1"])
    plan = build(bundle, tmp_path / "plan", threads=1)
    said = json.loads(call(plan, "--rounds", 2, "--side-px", 64, "--json").stdout)
    assert said["product"] == "M8 & M10?loop=1"


def test_of_a_gpu_no_share_of_the_cpu_is_told(plan: Path) -> None:
    there = read_plan(plan).manifest.model_copy(update={"runtime": "tensorrt", "gflop": None})
    said = arithmetic(there, 2.0, 1)
    assert said == {"gflop": None}
    assert _work(said) == "GFLOP not known"


def test_one_picture_is_a_frozen_camera(plan: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), grey_picture())
    error = call(plan, "--pictures", tmp_path).exception
    assert isinstance(error, InputError)
    assert "froze" in str(error)


def test_a_product_that_the_plan_lacks(plan: Path) -> None:
    assert isinstance(call(plan, "--product", "bolt").exception, UnknownProductError)


@pytest.mark.parametrize(
    ("kind", "x", "weight", "pairs", "said"),
    [
        ("Conv", [1, 3, 8, 8], [4, 3, 3, 3], 4 * 6 * 6 * 27, {}),
        ("Conv", [1, 4, 8, 8], [4, 1, 3, 3], 4 * 6 * 6 * 9, {"group": 4}),
        ("ConvTranspose", [1, 3, 8, 8], [3, 5, 2, 2], 3 * 64 * 5 * 4, {"strides": [2, 2]}),
        ("MatMul", [1, 7, 5], [5, 9], 7 * 9 * 5, {}),
        ("Gemm", [5, 7], [5, 9], 7 * 9 * 5, {"transA": 1}),
    ],
)
def test_arithmetic_is_counted_as_the_field_does(
    kind: str, x: list[int], weight: list[int], pairs: int, said: dict[str, object]
) -> None:
    graph = model([make_node(kind, ["x", "w"], ["y"], **said)], x, {"w": np.ones(weight, "f4")})
    assert gflop(graph) == pytest.approx(2e-9 * pairs)


def test_what_cannot_be_known_is_not_guessed() -> None:
    free = model([make_node("MatMul", ["x", "w"], ["y"])], ["n", 5], {"w": np.ones((5, 9), "f4")})
    assert gflop(free) is None
