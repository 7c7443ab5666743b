"""The detector: any picture size in, its own size out, and never a number that is none."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from engine.build import build
from engine.bundle import Bundle
from engine.detector import Detector
from engine.runtimes.base import Answers, Codes, Images
from engine.runtimes.fake import FakeRuntime, fake_plan
from engine.types import BundleError, Image, InferenceError, InputError, UnknownProductError
from tests.engine.tiny import grey_picture, spot_picture

PLAN = fake_plan(("disc", "label"))


@pytest.fixture(scope="module")
def plan(tiny: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tiny.folder, tmp_path_factory.mktemp("plan") / "plan")


@pytest.fixture
def detector(plan: Path) -> Iterator[Detector]:
    with Detector.open(plan, threads=1) as opened:
        opened.warm_up()
        yield opened


class Broken(FakeRuntime):
    """A runtime that answers with what it was told."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(PLAN.map)
        self._answers = answers

    def infer(self, image: Images, product: Codes) -> Answers:
        return self._answers


@pytest.mark.parametrize(("height", "width"), [(64, 64), (200, 300), (40, 90), (1, 1), (1, 2000)])
def test_a_map_has_the_pictures_own_size(detector: Detector, height: int, width: int) -> None:
    prediction = detector.detect(grey_picture(height, width), "disc")
    assert prediction.map.shape == (height, width)
    assert prediction.map.dtype == np.float32
    assert set(prediction.stages_ms) == {"pre", "infer", "post"}


def test_a_spot_is_found_in_a_large_picture(detector: Detector) -> None:
    picture = np.kron(spot_picture(at=(16, 40)), np.ones((4, 4, 1), np.uint8))
    good = detector.detect(grey_picture(256, 256), "disc")
    bad = detector.detect(picture, "disc")
    row, column = np.unravel_index(bad.map.argmax(), bad.map.shape)
    assert bad.score > good.score + 1
    assert 64 <= row < 96
    assert 160 <= column < 192


def test_the_product_reaches_the_graph(detector: Detector) -> None:
    scores = {detector.detect(spot_picture(), product).score for product in detector.products}
    assert len(scores) == 2


def test_the_plan_goes_with_it(detector: Detector, tiny: Bundle) -> None:
    assert detector.products == ("disc", "label")
    assert detector.plan.bundle_sha256 == tiny.sha256
    assert len(detector.plan_sha256) == 64


def test_an_unknown_product_is_named(detector: Detector) -> None:
    with pytest.raises(UnknownProductError, match="'screw': this model knows disc, label"):
        detector.detect(grey_picture(), "screw")


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.uint16),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(detector: Detector, picture: Image) -> None:
    with pytest.raises(InputError, match=r"must be \(H, W, 3\) uint8 RGB"):
        detector.detect(picture, "disc")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["map", "score"])
def test_a_number_that_is_none_is_a_fault(value: float, where: str) -> None:
    maps, scores = np.zeros((1, 32, 32), np.float32), np.zeros(1, np.float32)
    (maps[0, 3] if where == "map" else scores)[0] = value
    with (
        Detector(Broken((maps, scores)), PLAN) as detector,
        pytest.raises(InferenceError, match="NaN or infinity"),
    ):
        detector.detect(grey_picture(), "disc")


def test_a_map_of_another_shape_is_a_fault() -> None:
    wrong = np.zeros((1, 5, 5), np.float32), np.zeros(1, np.float32)
    with (
        Detector(Broken(wrong), PLAN) as detector,
        pytest.raises(InferenceError, match=r"map of \(1, 5, 5\)"),
    ):
        detector.detect(grey_picture(), "disc")


def test_stages_are_what_the_clock_says() -> None:
    ticks = count()
    with Detector(FakeRuntime(PLAN.map), PLAN, clock=lambda: next(ticks) / 1000) as detector:
        stages = detector.detect(grey_picture(), "disc").stages_ms
    assert stages == pytest.approx({"pre": 1, "infer": 1, "post": 1})


def test_another_runtime_version_asks_for_a_new_plan(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtimes.openvino.version", lambda: "1.0")
    with pytest.raises(BundleError, match=r"here is 1\.0: build it again"):
        Detector.open(plan)


def test_a_bundle_is_no_plan(own_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"has no plan\.json: name another folder, or build"):
        Detector.open(own_bundle)
