"""One suite for every runtime, the fake one included."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.build import build
from engine.bundle import Bundle
from engine.manifest import Size
from engine.plan import read_plan
from engine.runtimes.base import Runtime
from engine.runtimes.choice import backend, choose
from engine.runtimes.fake import FakeRuntime
from engine.types import BundleError, InputError, MissingError
from tests.engine.tiny import grey_picture, spot_picture


@pytest.fixture(scope="module")
def plans(tiny: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("plans")
    names = ("openvino", "onnxruntime")
    return {name: build(tiny.folder, folder / name, runtime=name) for name in names}


@pytest.fixture(params=["openvino", "onnxruntime", "fake"])
def runtime(request: pytest.FixtureRequest, plans: dict[str, Path]) -> Iterator[Runtime]:
    if request.param == "fake":
        made: Runtime = FakeRuntime(Size(height=32, width=32))
    else:
        plan = read_plan(plans[request.param])
        made = backend(plan.manifest.runtime).load(plan.folder, plan.manifest.precision, 1)
    with made as opened:
        yield opened


def test_it_says_what_it_is(runtime: Runtime) -> None:
    assert runtime.name in ("openvino", "onnxruntime", "fake")
    assert runtime.precision == "f32"
    assert runtime.version


@pytest.mark.parametrize("batch", [1, 3])
def test_shapes_and_types(runtime: Runtime, batch: int) -> None:
    maps, scores = runtime.infer(np.stack([grey_picture()] * batch), np.zeros(batch, np.int64))
    assert maps.shape == (batch, 32, 32)
    assert scores.shape == (batch,)
    assert maps.dtype == scores.dtype == np.float32


def test_a_spot_is_found_where_it_is(runtime: Runtime) -> None:
    pictures = np.stack([grey_picture(), spot_picture(at=(16, 40))])
    maps, scores = runtime.infer(pictures, np.array([0, 1]))
    assert scores[1] > scores[0]
    row, column = np.unravel_index(maps[1].argmax(), maps[1].shape)
    assert 8 <= row < 12
    assert 20 <= column < 24


def test_the_same_picture_gets_the_same_answer(runtime: Runtime) -> None:
    first = runtime.infer(spot_picture()[None], np.array([1]))
    runtime.infer(grey_picture()[None], np.array([0]))
    again = runtime.infer(spot_picture()[None], np.array([1]))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_answers_are_kept_when_the_next_picture_comes(runtime: Runtime) -> None:
    maps, _ = runtime.infer(spot_picture()[None], np.array([0]))
    before = maps.copy()
    runtime.infer(grey_picture()[None], np.array([0]))
    np.testing.assert_array_equal(maps, before)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_closed_runtime_does_not_answer(plans: dict[str, Path], name: str) -> None:
    plan = read_plan(plans[name])
    closed = backend(plan.manifest.runtime).load(plan.folder, "f32", None)
    with pytest.raises(RuntimeError, match="not open"):
        closed.infer(grey_picture()[None], np.array([0]))


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_missing_package_is_named(
    plans: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = read_plan(plans[name])
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingError, match=f"run 'pip install {name}'"):
        backend(plan.manifest.runtime).load(plan.folder, "f32", None)


@pytest.mark.parametrize(
    ("name", "precision", "sentence"),
    [
        ("tensorflow", "f32", "no runtime 'tensorflow': choose auto, tensorrt, openvino"),
        ("openvino", "f64", "openvino has no 'f64': choose f32 or bf16"),
        ("onnxruntime", "bf16", "onnxruntime has no 'bf16': .*or bf16 with openvino"),
    ],
)
def test_what_cannot_be_had_is_said(name: str, precision: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        choose(name, precision)


def test_auto_is_openvino_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("auto", "bf16")[:2] == ("openvino", "bf16")
    monkeypatch.setattr("engine.runtimes.choice.find_spec", lambda _: None)
    assert choose("auto", "f32")[:2] == ("onnxruntime", "f32")


def test_no_plan_on_disk_may_ask_for_the_fake() -> None:
    with pytest.raises(BundleError, match="judges nothing real"):
        backend("fake")
