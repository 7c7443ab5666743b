import numpy as np
import pytest

from inspector.pipeline.draw import OUTLINE, crop, outline
from inspector.pipeline.inspection import Region
from inspector.pipeline.verdict import find_regions
from tests.inspector.pipeline_parts import LIMIT, picture, score_map


def box(x: int, y: int, width: int, height: int) -> Region:
    return Region(x, y, width, height, width * height, 1.0, ())


def test_the_contour_is_drawn_on_a_copy() -> None:
    image = picture(1)
    before = image.copy()
    drawn = outline(image, find_regions(score_map([(10, 20)]), LIMIT))

    changed = {(int(x), int(y)) for y, x in np.argwhere((drawn != image).any(axis=2))}
    border = {
        (x, y) for x in range(10, 14) for y in range(20, 24) if x in (10, 13) or y in (20, 23)
    }
    assert changed == border
    assert tuple(drawn[20, 10]) == OUTLINE
    assert (image == before).all()


def test_a_part_without_regions_is_drawn_unchanged() -> None:
    assert (outline(picture(1), ()) == picture(1)).all()


def test_a_mirrored_view_can_be_drawn_on() -> None:
    view = picture(1)[:, ::-1]

    assert outline(view, find_regions(score_map([(10, 20)]), LIMIT)).shape == view.shape


@pytest.mark.parametrize(
    ("region", "corner", "size"),
    [
        (box(200, 150, 10, 10), (173, 123), (64, 64)),  # small: widened to 64
        (box(100, 50, 100, 60), (50, 20), (200, 120)),  # half as much again on each side
        (box(0, 0, 10, 10), (0, 0), (64, 64)),  # at the border: moved inside
        (box(390, 290, 10, 10), (336, 236), (64, 64)),
        (box(0, 0, 400, 300), (0, 0), (400, 300)),  # never beyond the picture
    ],
)
def test_the_crop_holds_the_region(
    region: Region, corner: tuple[int, int], size: tuple[int, int]
) -> None:
    columns, rows = np.meshgrid(np.arange(400), np.arange(300))
    image = np.stack([columns % 256, rows % 256, columns // 256 * 2 + rows // 256], axis=2)
    cut = crop(image.astype(np.uint8), score_map(), [region])

    x, y = corner
    assert cut.shape[1::-1] == size
    assert (cut == image[y : y + size[1], x : x + size[0]]).all()


def test_without_a_region_the_crop_is_round_the_maps_peak() -> None:
    scores = np.zeros((300, 400), np.float32)
    scores[100, 300] = 0.1
    image = np.zeros((300, 400, 3), np.uint8)
    image[100, 300] = 255

    cut = crop(image, scores, ())

    assert cut.shape == (64, 64, 3)
    assert cut[32, 32, 0] == 255
