"""The command `sample-data`: the simulated line's parts as a data set in MVTec-AD layout.

    OUT/<product>/train/good/000.png
    OUT/<product>/test/good/000.png
    OUT/<product>/test/<defect>/000.png
    OUT/<product>/ground_truth/<defect>/000_mask.png
    OUT/captions.csv                                   file, product, defect, caption

Imports stay light at the top: the command line reads this file to list the command.
"""

import csv
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEST_GOOD_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to make: its folder below the product, its number there, and what it shows."""

    product: str
    split: str  # train or test
    defect: str | None  # None: good
    number: int
    seed: int

    @property
    def path(self) -> Path:
        return Path(self.product, self.split, self.defect or "good", f"{self.number:03d}.png")

    @property
    def mask_path(self) -> Path | None:
        if self.defect is None:
            return None
        return Path(self.product, "ground_truth", self.defect, f"{self.number:03d}_mask.png")


def sample_data(
    out: Annotated[Path, typer.Argument(help="The folder to write; must be empty or new.")],
    parts: Annotated[int, typer.Option(min=5, help="Parts per product.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same parts.")] = 0,
    size: Annotated[int, typer.Option(min=64, max=2048, help="Width and height in px.")] = 256,
    products: Annotated[str, typer.Option(help="Comma-separated; all if not given.")] = "",
    defects: Annotated[
        float, typer.Option(min=0.0, max=0.6, help="Share of the parts that is defective.")
    ] = 0.2,
) -> None:
    """Write pictures of simulated parts, with masks and captions, in MVTec-AD layout.

    Of each product's N parts the share DEFECTS is defective and goes to test, a fifth is good
    and goes to test, and the rest (three fifths by default) is good and goes to train.
    """
    from rich.console import Console
    from rich.progress import track

    jobs = [job for product in chosen(products) for job in plan(product, parts, seed, defects)]
    console = Console(stderr=True)
    with (
        _whole(out) as folder,
        (folder / "captions.csv").open("w", encoding="utf-8", newline="") as table,
    ):
        rows = csv.writer(table)
        rows.writerow(("file", "product", "defect", "caption"))
        for job in track(jobs, "Picturing parts", console=console):
            caption = _write(job, folder, size)
            rows.writerow((job.path.as_posix(), job.product, job.defect or "good", caption))
    typer.echo(f"{len(jobs)} pictures of {size} × {size} px in {out}")


def chosen(products: str) -> list[str]:
    """The families named in a comma-separated list, or all; InputError names an unknown one."""
    from engine.types import InputError
    from inspector.camera.parts.render import FAMILIES

    wanted = [name.strip() for name in products.split(",") if name.strip()]
    for name in wanted:
        if name not in FAMILIES:
            raise InputError(f"There is no simulated product {name!r}: take {', '.join(FAMILIES)}.")
    return list(dict.fromkeys(wanted)) or list(FAMILIES)


def plan(product: str, parts: int, seed: int, defects: float) -> list[Job]:
    """What to picture of one product: every kind of defect in turn, each part its own seed."""
    from inspector.camera.parts.render import FAMILIES, part_seed

    kinds = list(FAMILIES[product].defects)
    spoilt, test_good = round(parts * defects), round(parts * TEST_GOOD_SHARE)
    places: list[tuple[str, str | None, int]] = [
        *(("train", None, i) for i in range(parts - spoilt - test_good)),
        *(("test", None, i) for i in range(test_good)),
        *(("test", kinds[i % len(kinds)], i // len(kinds)) for i in range(spoilt)),
    ]
    return [
        Job(product, *place, seed=part_seed("sample-data", seed, i))
        for i, place in enumerate(places)
    ]


def _write(job: Job, folder: Path, size: int) -> str:
    """Picture one part, write it and its mask, and return its caption."""
    from inspector.camera.parts.optics import DRIFT_PERIOD, drift
    from inspector.camera.parts.render import render

    # The parts of a data set come from a whole swing of the lamp, not from its first minutes.
    lamp = drift(job.seed % DRIFT_PERIOD)
    part = render(job.product, size, job.seed, job.defect, exposure=lamp)
    _write_png(folder / job.path, part.image[..., ::-1])
    if job.mask_path is not None:
        _write_png(folder / job.mask_path, part.mask.astype("uint8") * 255)
    return part.caption


def _write_png(path: Path, pixels: "NDArray[np.uint8]") -> None:
    """Write BGR or grey pixels; not cv2.imwrite, which cannot open every Windows path."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place once everything in it is written."""
    from engine.types import InputError

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not an empty folder: name a new one, or empty it first.")
    half = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        half.mkdir(parents=True)
        yield half
        if out.exists():
            out.rmdir()  # Windows replaces no folder, not even an empty one
        half.replace(out)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror}): choose another folder."
        ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
