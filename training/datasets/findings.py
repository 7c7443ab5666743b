"""Findings, as people read them and as machines do."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.datasets.dataset import Dataset
from training.datasets.validate import Finding

STYLES = {"error": "bold red", "warning": "yellow"}


def as_json(dataset: Dataset, findings: Sequence[Finding]) -> str:
    """One JSON object."""
    said = {
        "layout": dataset.layout,
        "pictures": len(dataset.samples),
        "findings": [asdict(f) for f in findings],
    }
    return json.dumps(said, indent=2, ensure_ascii=False)


def as_table(dataset: Dataset, findings: Sequence[Finding]) -> None:
    """A line a finding, and a last one that counts them."""
    table = Table("", "product", "what is wrong", title=f"{dataset.root} ({dataset.layout})")
    for f in findings:
        table.add_row(f"[{STYLES[f.severity]}]{f.severity}[/]", escape(f.product), escape(f.words))
    console = Console()
    if findings:
        console.print(table)
    count = Counter(f.severity for f in findings)
    console.print(
        f"{len(dataset.samples)} pictures: {count['error']} errors, {count['warning']} warnings"
    )
