"""The gate between a bundle and a line: a plan that answers otherwise is refused."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.recipe import Recipe, Threshold, write_recipe
from engine.build import build
from engine.bundle import Bundle, read_bundle
from engine.detector import Detector
from engine.golden import GOLDEN, Golden, read_golden, write_golden
from engine.manifest import Size
from engine.parity import LIMITS, Parity, compared, expected, ranges_of
from engine.plan import read_plan
from engine.reference import reference
from engine.sealed import seal
from engine.types import BundleError
from inspector.cli import app
from tests.engine.tiny import make_tiny_bundle, spot_picture, tiny_golden


@pytest.fixture(scope="module")
def golden_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Of two products, a good and a spoilt part each; its graphs answer for the network."""
    folder = tmp_path_factory.mktemp("bundles")
    golden = tiny_golden(read_bundle(make_tiny_bundle(folder / "bare")))
    return read_bundle(make_tiny_bundle(folder / "golden", golden=golden))


def test_golden_pictures_are_kept_as_they_were(golden_bundle: Bundle) -> None:
    golden = golden_bundle.golden
    assert golden is not None
    assert len(golden) == 4
    np.testing.assert_array_equal(golden.image[1], spot_picture())
    assert golden.map.dtype == golden.score.dtype == np.float32


def test_an_older_bundle_has_none_and_is_asked_about_clouds(tiny: Bundle) -> None:
    assert tiny.golden is None
    asked = expected(tiny, 2)
    answers = reference(tiny, 2, asked.image, asked.product)
    np.testing.assert_allclose(asked.map, answers[0], atol=1e-6)
    assert not asked.defective.any()


def test_the_networks_own_answers_count_at_the_default_steps(golden_bundle: Bundle) -> None:
    golden = golden_bundle.golden
    assert golden is not None
    default = golden_bundle.manifest.refinement.default_steps
    assert expected(golden_bundle, default) is golden
    other = expected(golden_bundle, 1)
    np.testing.assert_array_equal(other.image, golden.image)
    assert np.abs(other.map - golden.map).max() > 1e-3


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_plan_carries_the_pictures_and_passes(
    golden_bundle: Bundle, tmp_path: Path, runtime: str
) -> None:
    plan = build(golden_bundle.folder, tmp_path / "plan", runtime=runtime, steps=2)
    with Detector.open(plan) as detector:
        parity = detector.verify({"disc": 0.0, "label": 0.0})
    assert (parity.pictures, parity.flips, parity.auroc) == (4, (), 0)
    assert parity.score < 1e-5
    assert parity.place < 1e-5


def test_a_bundle_whose_network_said_otherwise_gets_no_plan(
    golden_bundle: Bundle, tmp_path: Path
) -> None:
    golden = golden_bundle.golden
    assert golden is not None
    width = ranges_of(golden).score
    moved = replace(golden, score=golden.score + np.float32(2e-3) * width)
    other = make_tiny_bundle(tmp_path / "bundle", golden=moved)
    with pytest.raises(BundleError, match=r"scores differ by 2\.0e-03 of their range, over 1e-03"):
        build(other, tmp_path / "plan")
    assert not (tmp_path / "plan").exists()


def test_a_plan_that_drifted_is_not_put_into_service(golden_bundle: Bundle, tmp_path: Path) -> None:
    plan = build(golden_bundle.folder, tmp_path / "plan", steps=2)
    golden = read_plan(plan).golden
    assert golden is not None
    (plan / GOLDEN).unlink()
    write_golden(replace(golden, map=golden.map * np.float32(1.01)), plan)
    seal(plan)
    told: list[Parity] = []
    with Detector.open(plan) as detector, pytest.raises(BundleError, match="maps differ by"):
        detector.verify(told=told.append)
    assert [parity.pictures for parity in told] == [4]
    assert told[0].map > told[0].score
    said = CliRunner().invoke(app, ["verify", str(plan)])
    assert said.exit_code == 2
    assert "maps differ by" in " ".join(said.output.split())
    assert "build it again" in " ".join(said.output.split())


def test_one_verdict_that_flips_is_one_too_many(golden_bundle: Bundle, tmp_path: Path) -> None:
    plan = build(golden_bundle.folder, tmp_path / "plan")
    golden = read_plan(plan).golden
    assert golden is not None
    edge, width = float(golden.score[1]), float(ranges_of(golden).score[1])
    nudged = np.float32(edge + 8e-4 * width)  # within tolerance
    (plan / GOLDEN).unlink()
    write_golden(replace(golden, score=np.where([0, 1, 0, 0], nudged, golden.score)), plan)
    seal(plan)
    limit = edge + 4e-4 * width  # and on the other side of the limit
    recipe = _recipe(tmp_path / "recipe.json", read_plan(plan).manifest.bundle_sha256, limit)
    said = CliRunner().invoke(app, ["verify", str(plan), "--recipe", str(recipe)])
    assert said.exit_code == 2, said.output
    assert "its verdict differs on golden picture 1;" in " ".join(said.output.split())
    assert CliRunner().invoke(app, ["verify", str(plan)]).exit_code == 0


def test_a_score_that_stands_on_its_limit_may_fall_on_either_side(
    golden_bundle: Bundle, tmp_path: Path
) -> None:
    plan = build(golden_bundle.folder, tmp_path / "plan")
    golden = read_plan(plan).golden
    assert golden is not None
    limit = float(golden.score[1])  # as calibration may set it
    nudged = np.nextafter(golden.score, np.float32(np.inf))
    (plan / GOLDEN).unlink()
    write_golden(replace(golden, score=nudged), plan)
    seal(plan)
    with Detector.open(plan) as detector:
        assert detector.verify({"disc": limit, "label": limit}).flips == ()


def test_a_line_asks_about_what_it_will_see(golden_bundle: Bundle, tmp_path: Path) -> None:
    plan = build(golden_bundle.folder, tmp_path / "plan")
    golden = read_plan(plan).golden
    assert golden is not None
    (plan / GOLDEN).unlink()
    wrong = np.where(golden.product == 1, golden.score + 1, golden.score).astype(np.float32)
    write_golden(replace(golden, score=wrong), plan)
    seal(plan)
    with Detector.open(plan) as detector:
        assert detector.verify({}, ["disc"]).pictures == 2
        with pytest.raises(BundleError, match="scores differ"):
            detector.verify({}, ["label"])
    (plan / GOLDEN).unlink()
    write_golden(golden.of([0]), plan)  # as of a bundle that grew from an older one
    seal(plan)
    with Detector.open(plan) as detector:
        assert detector.verify({}, ["label"]).pictures == 2


def test_graphs_that_answer_with_other_maps_get_no_plan(
    golden_bundle: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(golden_bundle.folder, folder)
    for name in ("manifest.json", GOLDEN):
        (folder / name).unlink()
    said = golden_bundle.manifest.model_copy(update={"map": Size(height=16, width=16)})
    (folder / "manifest.json").write_text(said.model_dump_json())
    seal(folder)
    with pytest.raises(BundleError, match="do not answer as its manifest says"):
        build(folder, tmp_path / "plan")


def test_verify_says_how_close_it_is(golden_bundle: Bundle, tmp_path: Path) -> None:
    plan = build(golden_bundle.folder, tmp_path / "plan")
    recipe = _recipe(tmp_path / "recipe.json", golden_bundle.sha256, 0.0)
    said = CliRunner().invoke(app, ["verify", str(plan), "--recipe", str(recipe), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["pictures"] == 4
    said = CliRunner().invoke(app, ["verify", str(plan), "--recipe", str(recipe)])
    assert "no verdict differs" in said.output
    other = _recipe(tmp_path / "other.json", "0" * 64, 0.0)
    said = CliRunner().invoke(app, ["verify", str(plan), "--recipe", str(other)])
    assert said.exit_code == 2
    assert "another bundle" in said.output


def test_a_plan_without_golden_pictures_is_built_again(tiny: Bundle, tmp_path: Path) -> None:
    plan = build(tiny.folder, tmp_path / "plan")
    (plan / GOLDEN).unlink()
    seal(plan)
    with Detector.open(plan) as detector, pytest.raises(BundleError, match="no golden pictures"):
        detector.verify()


@pytest.mark.parametrize(
    ("parity", "words"),
    [
        (Parity(4, np.nan, 0, 0), "scores differ"),
        (Parity(4, 0, np.nan, 0), "maps differ"),
        (Parity(4, 0, 0, np.nan), "a map differs"),
        (Parity(4, 2e-3, 0, 0), "over 1e-03"),
        (Parity(4, 0, 2e-3, 2e-3), "over 1e-03"),
        (Parity(4, 0, 0, 2e-2), "over 1e-02"),
        (Parity(4, 0, 0, 0, auroc=0.0, flips=(1, 3)), "golden picture 1, 3"),
        (Parity(4, 1e-4, 1e-4, 1e-3, auroc=0.25), ""),
    ],
)
def test_what_is_wrong_is_said(parity: Parity, words: str) -> None:
    fault = parity.fault("f32")
    assert words in fault
    assert bool(words) == bool(fault)


def test_rough_plans_have_rough_limits() -> None:
    moved = Parity(4, 5e-3, 5e-2, 5e-2, auroc=0.0)
    assert moved.fault("f32")
    assert not moved.fault("bf16")
    assert LIMITS["bf16"].score == 1e-2


def test_an_answer_that_is_no_number_is_a_difference(golden_bundle: Bundle) -> None:
    golden = golden_bundle.golden
    assert golden is not None
    broken = compared((golden.map * np.float32(np.nan), golden.score), golden)
    assert broken.fault("bf16")
    assert compared(golden.answers, golden) == Parity(4, 0, 0, 0, 0)


def test_a_loud_product_excuses_no_quiet_one() -> None:
    """Scores of one lie between 0.5 and 100, of the other between 0.6 and 3, whose limit is 1."""
    score = np.array([0.5, 100, 0.6, 3], np.float32)
    golden = Golden(
        image=np.zeros((4, 8, 8, 3), np.uint8),
        product=np.array([0, 0, 1, 1]),
        defective=np.array([False, True, False, True]),
        map=score[:, None, None] * np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4),
        score=score,
    )
    assert ranges_of(golden).score.tolist() == pytest.approx([99.5, 99.5, 2.4, 2.4])
    moved = score + np.array([0, 0, 0.8, 0], np.float32)  # over its limit
    assert compared((golden.map, moved), golden).score == pytest.approx(1 / 3)
    for precision in LIMITS:
        assert compared((golden.map, moved), golden).fault(precision)


def test_every_product_is_asked_about_however_many_there_are(tmp_path: Path) -> None:
    names = [f"part{i}" for i in range(20)]
    many = read_bundle(make_tiny_bundle(tmp_path / "bundle", names))
    assert set(expected(many, 0).product) == set(range(20))
    assert expected(many, 0, codes=[3, 9]).product.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda g: replace(g, map=g.map[:, :3]),
        lambda g: replace(g, score=g.score * np.float32(np.nan)),
        lambda g: replace(g, product=g.product + 7),
        lambda g: replace(g, image=g.image.astype(np.float32)),
        lambda g: replace(g, score=np.array([object()] * 4)),
        lambda g: Golden(*(a[:0] for a in vars(g).values())),
    ],
)
def test_golden_pictures_of_another_kind_are_refused(
    golden_bundle: Bundle, tmp_path: Path, spoil: object
) -> None:
    golden = golden_bundle.golden
    assert golden is not None
    assert callable(spoil)
    other, said = spoil(golden), golden_bundle.manifest
    with pytest.raises(ValueError, match=r"is |finite|product|no picture"):
        make_tiny_bundle(tmp_path / "bundle", golden=other)
    np.savez(tmp_path / GOLDEN, **{name: getattr(other, name) for name in vars(other)})
    with pytest.raises(BundleError, match=r"golden\.npz is not usable"):
        read_golden(tmp_path, said.input, said.map, len(said.products))


def _npz(header: bytes, method: int = 0) -> bytes:
    """An archive whose first array has that header."""
    out = io.BytesIO()
    with ZipFile(out, "w") as packed:
        text = header + b"\n"
        packed.writestr("image.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    content = bytearray(out.getvalue())
    content[8] = content[content.rindex(b"PK\x01\x02") + 10] = method
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 cut",
        b"no archive at all",
        _npz(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000,)}"),
        _npz(b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"9" * 30 + b",)}"),
        _npz(b"'" * 3 + b"abc"),
        _npz(b"-" * 5000 + b"1"),
        _npz(b"{}", method=99),
        _npz(b"{}", method=8),
    ],
    ids=["empty", "cut", "junk", "huge", "huger", "token", "deep", "method", "deflate"],
)
def test_what_is_no_archive_is_refused(tiny: Bundle, tmp_path: Path, content: bytes) -> None:
    (tmp_path / GOLDEN).write_bytes(content)
    with pytest.raises(BundleError, match=r"golden\.npz is not usable"):
        read_golden(tmp_path, tiny.manifest.input, tiny.manifest.map, 2)


def _recipe(path: Path, bundle: str, limit: float) -> Path:
    threshold = Threshold(
        score=limit, map=limit, interval=(limit, limit), false_reject_rate=0.01, goods=50
    )
    products = {"disc": threshold, "label": threshold}
    write_recipe(Recipe(name="r", bundle_sha256=bundle, products=products), path)
    return path
