"""The sheet of synthetic anomalies, and textures lent to them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.types import InputError
from tests.training.photographs import (
    call,
    photograph,
    write,
    write_parts,
)
from training.datasets.textures import read_textures
from training.spec import Given


def test_a_preview_is_drawn(tmp_path: Path) -> None:
    write_parts(tmp_path / "data", "plate", train=5, test=0)
    write_parts(tmp_path / "data", "Tür 3", train=5, test=0)
    out = tmp_path / "sheet.png"
    assert call("preview", tmp_path / "data", "--out", out).exit_code == 0
    picture = cv2.imread(str(out))
    assert picture.shape[1] > 1000
    assert picture.std() > 20


def test_textures_lend_what_the_goods_do_not_have(tmp_path: Path) -> None:
    write_parts(tmp_path / "data", "plate", train=5, test=0)
    write(tmp_path / "dtd" / "banded" / "red.png", np.full((40, 60, 3), (0, 0, 250), np.uint8))
    (texture,) = read_textures(tmp_path / "dtd", 64)
    assert (texture == (250, 0, 0)).all()
    assert texture.shape == (64, 64, 3)

    sheets = []
    for name, options in (("own.png", ()), ("lent.png", ("--textures", tmp_path / "dtd"))):
        done = call("preview", tmp_path / "data", "--out", tmp_path / name, *options)
        assert done.exit_code == 0, done.output
        sheets.append(cv2.imread(str(tmp_path / name)))
    assert (sheets[0] != sheets[1]).any()
    with pytest.raises(InputError, match="There is no folder"):
        read_textures(tmp_path / "none", 64)


def test_other_textures_make_another_run(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.png", photograph(1))
    before = Given.folder(tmp_path / "a")
    assert Given.folder(tmp_path / "a") == before
    write(tmp_path / "a" / "1.png", photograph(2))
    assert Given.folder(tmp_path / "a") != before
    assert Given.folder(None) is None
