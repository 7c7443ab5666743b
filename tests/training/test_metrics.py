import cv2
import numpy as np
import pytest

from training.metrics import aupro, measure


def _pictures(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = np.zeros((6, 40, 40), bool)
    for i, (y, x, side) in enumerate([(3, 3, 4), (10, 20, 9), (25, 8, 2), (30, 30, 6)]):
        masks[i, y : y + side, x : x + side] = True
    maps = rng.normal(0, 1, masks.shape) + 1.5 * masks
    return maps, masks


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
    assert aupro(maps, masks) == pytest.approx(_aupro_by_sweep(maps, masks), abs=1e-9)


def test_aupro_counts_regions_not_pixels() -> None:
    masks = np.zeros((1, 20, 20), bool)
    masks[0, 1:3, 1:3] = masks[0, 8:18, 8:18] = True
    only_small = np.zeros((1, 20, 20))
    only_small[0, 1:3, 1:3] = 1
    found_small, found_large = aupro(only_small, masks), aupro(1.0 * masks - only_small, masks)
    assert found_small == pytest.approx(found_large)


@pytest.mark.parametrize("squeeze", [np.exp, lambda v: 1 / (1 + np.exp(-6 * (v - 3)))])
def test_aupro_does_not_move_under_a_monotone_change_of_scale(squeeze) -> None:
    """The trap of equal-width bins and 200 thresholds: a saturated map of the same ranking."""
    maps, masks = _pictures()
    assert aupro(squeeze(maps), masks) == pytest.approx(aupro(maps, masks), abs=1e-9)


def test_aupro_gives_ties_one_threshold() -> None:
    _, masks = _pictures()
    flat = np.zeros(masks.shape)
    assert aupro(flat, masks) == pytest.approx(_aupro_by_sweep(flat, masks))


def test_measure_on_a_perfect_and_on_a_random_ranking() -> None:
    maps, masks = _pictures()
    labels = [bool(m.any()) for m in masks]
    perfect = measure([float(v) for v in labels], labels, list(1.0 * masks), list(masks))
    assert perfect.image_auroc == perfect.pixel_ap == perfect.pixel_f1_max == 1.0
    assert perfect.aupro == pytest.approx(1.0)
    noisy = measure([0.0] * 6, labels, list(np.float32(maps)), list(masks))
    assert noisy.image_auroc == 0.5
    assert 0 < noisy.pixel_ap < 1


def test_pixel_figures_are_absent_without_masks() -> None:
    result = measure([0.1, 0.9], [False, True], [], [])
    assert result.image_auroc == 1.0
    assert result.pixel_ap is None


def test_image_figures_are_absent_when_only_goods_were_measured() -> None:
    assert measure([0.1, 0.2], [False, False], [], []).image_auroc is None
