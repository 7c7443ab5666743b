"""The command `sample-data`: MVTec-AD layout, repeatable, whole or not at all."""

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.pictures import list_pictures, read_picture
from engine.types import InputError
from inspector.camera import sample_data as command
from inspector.camera.parts.render import FAMILIES
from inspector.camera.sample_data import Job, chosen, plan, sample_data


def write(out: Path, parts: int = 20, seed: int = 1, products: str = "disc,label") -> None:
    sample_data(out, parts=parts, seed=seed, size=64, products=products, defects=0.4)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "data"
    write(out)
    return out


def test_parts_are_split_into_train_test_and_every_kind_of_defect() -> None:
    jobs = plan("disc", parts=100, seed=1, defects=0.2)
    split = Counter((job.split, job.defect is not None) for job in jobs)
    assert split == {("train", False): 60, ("test", False): 20, ("test", True): 20}
    assert {job.defect for job in jobs if job.defect} == set(FAMILIES["disc"].defects)
    assert len({job.path for job in jobs}) == 100
    assert len({job.seed for job in jobs}) == 100


def test_the_layout_is_mvtec_ads(written: Path) -> None:
    assert sorted(p.name for p in written.iterdir()) == ["captions.csv", "disc", "label"]
    disc = written / "disc"
    assert [p.name for p in sorted((disc / "train").rglob("*.png"))] == [
        f"{i:03d}.png" for i in range(8)
    ]
    assert len(list_pictures(disc / "test" / "good")) == 4
    for kind in FAMILIES["disc"].defects:
        assert (disc / "test" / kind / "000.png").is_file()
        assert (disc / "ground_truth" / kind / "000_mask.png").is_file()
    assert not list(disc.glob("ground_truth/good/*"))


def test_masks_fit_their_pictures_and_are_black_and_white(written: Path) -> None:
    masks = sorted(written.glob("*/ground_truth/*/*.png"))
    assert len(masks) == 16
    for path in masks:
        mask = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        product, defect = path.parents[2], path.parent.name
        picture = product / "test" / defect / path.name.replace("_mask", "")
        assert mask is not None
        assert mask.shape == read_picture(picture).shape[:2] == (64, 64)
        assert set(np.unique(mask)) == {0, 255}


def test_every_picture_has_its_words(written: Path) -> None:
    with (written / "captions.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 40
    for row in rows:
        assert (written / row["file"]).is_file()
        assert row["file"].startswith(row["product"])
        assert (row["defect"] == "good") == row["caption"].startswith("a good")


def test_pictures_keep_their_colours(written: Path) -> None:
    banner = read_picture(written / "label" / "train" / "good" / "000.png")[14:18, 22:55]
    red, _, blue = banner.reshape(-1, 3).min(0).astype(int)
    assert blue > red + 20  # a blue bar, not a brown one


def test_the_same_seed_writes_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    files = sorted(p.relative_to(written) for p in written.rglob("*") if p.is_file())
    assert files
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (written / file).read_bytes()
    write(tmp_path / "other", seed=2)
    name = Path("disc", "train", "good", "000.png")
    assert (tmp_path / "other" / name).read_bytes() != (written / name).read_bytes()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    write(tmp_path, parts=5, products="fabric")
    assert len(list(tmp_path.rglob("*.png"))) == 5 + 2


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is not an empty folder"):
        write(tmp_path)
    with pytest.raises(InputError, match="is not an empty folder"):
        write(tmp_path / "mine.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote = command._write

    def interrupted(job: Job, folder: Path, size: int) -> str:
        if job.split == "test":
            raise KeyboardInterrupt
        return wrote(job, folder, size)

    monkeypatch.setattr(command, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"out cannot be written \("):
        write(tmp_path / "file" / "out")


def test_products_are_chosen_by_name() -> None:
    assert chosen("label, disc,label") == ["label", "disc"]
    assert chosen("") == list(FAMILIES)
    with pytest.raises(InputError, match="no simulated product 'gear': take disc"):
        chosen("disc,gear")


def test_listing_the_command_loads_no_heavy_library() -> None:
    code = (
        "import sys, inspector.camera.sample_data\n"
        "assert not {'numpy', 'cv2'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
