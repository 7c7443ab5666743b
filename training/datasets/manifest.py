"""A data set as one table: ``manifest.csv`` with a row a picture, wherever the pictures lie.

Columns: path, product, split (train or test), label ("good" or the defect's name), mask, sha256,
source. Paths are relative to the table's folder, or absolute. Only the first four must be filled.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.files import whole_file
from engine.types import InputError
from training.datasets.sample import Sample, Split

NAME = "manifest.csv"
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class Row(BaseModel):
    """One line of the table, as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    path: Annotated[str, Field(min_length=1)]
    product: Annotated[str, Field(min_length=1)]
    split: Split
    label: Annotated[str, Field(min_length=1)]
    mask: str = ""
    sha256: Sha256 = ""
    source: str = ""


def read_manifest(root: Path) -> Iterator[Sample]:
    """The samples of ``root/manifest.csv``; :class:`InputError` names the first bad line."""
    return as_samples(rows(root / NAME), root)


def as_samples(table: Iterable[Row], root: Path) -> Iterator[Sample]:
    """Of a table that lies in ``root``."""
    for row in table:
        mask = root / row.mask if row.mask else None
        path = root / row.path
        yield Sample(path, row.product, row.split, row.label, mask, row.sha256, row.source)


def rows(path: Path) -> Iterator[Row]:
    """Every line of the table, checked; lines are counted as an editor counts them."""
    for number, values in table_of(path):
        try:
            yield Row.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            column = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"{path}, line {number}, {column}: {first['msg']}. Mend the table."
            ) from error


def table_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a CSV file by their columns; what a line has too much is ``more``."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel writes a byte-order mark
            table = csv.DictReader(file, restkey="more", restval="")
            for values in table:
                yield table.line_num, values
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}): save it as CSV UTF-8.") from error


def joined(there: Iterable[Row], new: Sequence[Row]) -> list[Row]:
    """A table with ``new`` in place of what it had of the same products for the same use."""
    replaced = {(row.product, row.split) for row in new}
    return [*(row for row in there if (row.product, row.split) not in replaced), *new]


def write_manifest(path: Path, table: Sequence[Row]) -> None:
    """The whole table or nothing; :class:`InputError` on a full or read-only disk."""
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Row.model_fields))
        writer.writeheader()
        writer.writerows(row.model_dump() for row in table)
