import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from engine.types import InputError
from training.metrics import Metrics, auroc_error, measure
from training.pixels import Pixels


def _pictures(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = np.zeros((6, 40, 40), bool)
    for i, (y, x, side) in enumerate([(3, 3, 4), (10, 20, 9), (25, 8, 2), (30, 30, 6)]):
        masks[i, y : y + side, x : x + side] = True
    maps = rng.normal(0, 1, masks.shape) + 1.5 * masks
    return maps, masks


def _pixel_figures(maps: Iterable[np.ndarray], masks: np.ndarray, **sizes: int) -> Metrics:
    with Pixels(**sizes) as pixels:
        for found, mask in zip(maps, masks, strict=True):
            pixels.add(found, mask)
        return measure([], [], pixels)


def _aupro(maps: np.ndarray, masks: np.ndarray) -> float:
    found = _pixel_figures(maps, masks).aupro
    assert found is not None
    return found


def _aupro_by_sweep(maps: np.ndarray, masks: np.ndarray, limit: float = 0.3) -> float:
    """Every distinct value as a threshold, regions one by one: slow and plain."""
    points = [(0.0, 0.0)]
    for threshold in np.unique(maps)[::-1]:
        hits = maps >= threshold
        overlaps = []
        for mask, hit in zip(masks, hits, strict=True):
            count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
            overlaps += [hit[regions == r].mean() for r in range(1, count)]
        points.append((float(hits[~masks].mean()), float(np.mean(overlaps))))
    x, y = np.array(points).T
    inside = x < limit
    curve_x = np.append(x[inside], limit)
    curve_y = np.append(y[inside], np.interp(limit, x, y))
    return float(np.trapezoid(curve_y, curve_x) / limit)


def test_aupro_is_the_full_sweep() -> None:
    maps, masks = _pictures()
    assert _aupro(maps, masks) == pytest.approx(_aupro_by_sweep(maps, masks), abs=1e-9)


def test_aupro_counts_regions_not_pixels() -> None:
    masks = np.zeros((1, 20, 20), bool)
    masks[0, 1:3, 1:3] = masks[0, 8:18, 8:18] = True
    only_small = np.zeros((1, 20, 20))
    only_small[0, 1:3, 1:3] = 1
    found_small, found_large = _aupro(only_small, masks), _aupro(1.0 * masks - only_small, masks)
    assert found_small == pytest.approx(found_large)


@pytest.mark.parametrize("squeeze", [np.exp, lambda v: 1 / (1 + np.exp(-6 * (v - 3)))])
def test_aupro_does_not_move_under_a_monotone_change_of_scale(squeeze) -> None:
    """The trap of equal-width bins and 200 thresholds: a saturated map of the same ranking."""
    maps, masks = _pictures()
    assert _aupro(squeeze(maps), masks) == pytest.approx(_aupro(maps, masks), abs=1e-9)


def test_aupro_gives_ties_one_threshold() -> None:
    _, masks = _pictures()
    flat = np.zeros(masks.shape)
    assert _aupro(flat, masks) == pytest.approx(_aupro_by_sweep(flat, masks))


def test_measure_on_a_perfect_and_on_a_random_ranking() -> None:
    maps, masks = _pictures()
    labels = [bool(m.any()) for m in masks]
    assert measure([float(v) for v in labels], labels).image_auroc == 1.0
    assert measure([0.0] * 6, labels).image_auroc == 0.5
    perfect = _pixel_figures(1.0 * masks, masks)
    assert perfect.pixel_auroc == perfect.pixel_ap == perfect.pixel_f1_max == 1.0
    assert perfect.aupro == pytest.approx(1.0)
    assert 0 < (_pixel_figures(np.float32(maps), masks).pixel_ap or 0) < 1


def _saturated(maps: np.ndarray) -> np.ndarray:
    return np.round(np.clip(maps, 0, 1), 2)  # most of it at 0 or 1, the rest tied, too


@pytest.mark.parametrize("change", [np.asarray, np.float32, np.round, _saturated, np.zeros_like])
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"run": 2000, "read": 7},
        {"run": 37, "read": 1},
        pytest.param({"run": 1, "read": 1}, marks=pytest.mark.slow),
    ],
)
def test_pixel_figures_are_those_of_scikit_learn_however_they_are_sorted(change, sizes) -> None:
    maps, masks = _pictures(4)
    maps = change(maps)
    found = _pixel_figures(maps, masks, **sizes)
    truth, value = masks.ravel(), maps.ravel()
    precision, recall, _ = precision_recall_curve(truth, value)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert found.pixel_auroc == pytest.approx(roc_auc_score(truth, value), abs=1e-12)
    assert found.pixel_ap == pytest.approx(average_precision_score(truth, value), abs=1e-12)
    assert found.pixel_f1_max == pytest.approx(best, abs=1e-12)
    assert found.aupro == pytest.approx(_aupro_by_sweep(maps, masks), abs=1e-9)


def _peak_bytes(pictures: int) -> int:
    rng, mask = np.random.default_rng(0), np.zeros((64, 64), bool)
    mask[5:9, 5:9] = True
    maps = (rng.normal(0, 1, mask.shape) for _ in range(pictures))
    tracemalloc.start()
    _pixel_figures(maps, np.broadcast_to(mask, (pictures, *mask.shape)), run=20_000, read=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_pictures() -> None:
    few, many = _peak_bytes(20), _peak_bytes(200)  # the maps alone: 0.7 and 6.6 MB
    assert many < few + 1_000_000


def test_nothing_is_left_on_disk(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    maps, masks = _pictures()
    with Pixels(run=1) as pixels:
        pixels.add(maps[0], masks[0])
        assert list(tmp_path.rglob("*.rows"))
        measure([], [], pixels)
    assert not list(tmp_path.iterdir())


def test_many_runs_become_few_and_give_the_same_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    maps, masks = _pictures()
    with Pixels(run=1, read=7, most=3) as pixels:
        for _ in range(5):
            for found, mask in zip(maps, masks, strict=True):
                pixels.add(found, mask)
                assert len(list(tmp_path.rglob("*.rows"))) <= 3 * 3
        in_thirty_runs = measure([], [], pixels)
    at_once = _pixel_figures(*(np.concatenate(5 * [x]) for x in (maps, masks)))
    for name in ("pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro"):
        assert getattr(in_thirty_runs, name) == pytest.approx(getattr(at_once, name), abs=1e-12)


def test_a_temporary_folder_without_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("196608 requested and 1556 written")

    maps, masks = _pictures()
    with Pixels(run=1) as pixels:
        monkeypatch.setattr("training.pixels.Path.open", full)
        with pytest.raises(InputError, match=r"has no room .* by the variable"):
            pixels.add(maps[0], masks[0])


def test_pixel_figures_are_absent_without_masks() -> None:
    result = measure([0.1, 0.9], [False, True])
    assert result.image_auroc == 1.0
    assert result.pixel_ap is None


def test_image_figures_are_absent_when_only_goods_were_measured() -> None:
    assert measure([0.1, 0.2], [False, False]).image_auroc is None


@pytest.mark.slow
def test_the_error_of_an_auroc_is_how_far_other_parts_would_have_moved_it() -> None:
    rng, good, bad = np.random.default_rng(0), 27, 40
    labels = np.arange(good + bad) >= good
    scores = rng.exponential(np.where(labels, 6.0, 1.0), (2000, len(labels)))
    found = [measure(row, labels).image_auroc or 0 for row in scores]
    assert auroc_error(6 / 7, good, bad) == pytest.approx(np.std(found), rel=0.05)
    assert auroc_error(1.0, good, bad) == 0
