"""Photographs of one simple part, drawn here, as data sets of every layout."""

import csv
from pathlib import Path

import cv2
import numpy as np
from typer.testing import CliRunner, Result

from engine.types import Image
from inspector.cli import app
from training.datasets.dataset import read_dataset
from training.datasets.validate import Finding, validate

SIDE = 96


def silent(what: str, share: float, note: str) -> None:
    """Progress nobody looks at."""


def photograph(seed: int) -> Image:
    """One part: the same print each time, a little moved, on grain that is never the same."""
    rng = np.random.default_rng(seed)
    part = np.full((SIDE, SIDE, 3), 150, np.uint8)
    cv2.rectangle(part, (20, 25), (70, 60), (40, 60, 90), -1)
    cv2.circle(part, (60, 70), 12, (220, 210, 200), -1)
    pose = np.array([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]])
    moved = cv2.warpAffine(part, pose, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved + rng.normal(0, 8, moved.shape), 0, 255).astype(np.uint8)


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_parts(data: Path, product: str = "plate", train: int = 60, test: int = 6) -> Path:
    """A data set in which nothing is wrong; its defects are white squares with masks."""
    home = data / product
    for i in range(train):
        write(home / "train" / "good" / f"{i:03}.png", photograph(i))
    for i in range(test):
        write(home / "test" / "good" / f"{i:03}.png", photograph(1000 + i))
        spoilt, mask = photograph(2000 + i), np.zeros((SIDE, SIDE), np.uint8)
        spoilt[10 : 30 + i, 10:40] = 255
        mask[10 : 30 + i, 10:40] = 255
        write(home / "test" / "white spot" / f"{i:03}.png", spoilt)
        write(home / "ground_truth" / "white spot" / f"{i:03}_mask.png", mask)
    return data


def findings(data: Path) -> list[Finding]:
    return validate(read_dataset(data), silent)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["dataset", *map(str, arguments)])


def as_btad(data: Path) -> None:
    """The same parts, called as BTAD calls them."""
    home = data / "plate"
    (home / "train" / "good").rename(home / "train" / "ok")
    (home / "test" / "good").rename(home / "test" / "ok")
    (home / "test" / "white spot").rename(home / "test" / "ko")
    masks = (home / "ground_truth" / "white spot").rename(home / "ground_truth" / "ko")
    for mask in masks.iterdir():
        mask.rename(masks / mask.name.replace("_mask", ""))


def as_visa(data: Path) -> None:
    """The same parts, with VisA's table."""
    dataset = read_dataset(data)
    rows = [["object", "split", "label", "image", "mask"]]
    for s in dataset.samples:
        paths = [p.relative_to(data).as_posix() if p else "" for p in (s.path, s.mask_path)]
        rows.append([s.product, s.split, "anomaly" if s.is_defective else "normal", *paths])
    table = data / "split_csv" / "1cls.csv"
    table.parent.mkdir()
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def as_manifest(data: Path) -> None:
    assert call("snapshot", data).exit_code == 0
