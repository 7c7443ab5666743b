"""What a demo run came to: the numbers, as one JSON object or as a table."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from inspector.pipeline.counters import Counts, Tally
from inspector.station import StationSession


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run, against the rendered truth."""

    counts: Counts
    runtime: str
    precision: str
    database: str
    pictures: str

    @classmethod
    def of(cls, session: StationSession) -> "Report":
        pictures = session.settings.out / "pictures"
        plan, database = session.plan, session.database
        counts = session.counters.counts()
        return cls(counts, plan.runtime, plan.precision, str(database), str(pictures))

    def as_dict(self) -> dict[str, Any]:
        """The JSON object; ``products`` repeats the counts per product family."""
        latency = {stage: p.p50 for stage, p in self.counts.latency_ms.items()}
        total = self.counts.latency_ms.get("total")
        return {
            **_counts(self.counts.total),
            "latency_ms": {"p50": total and total.p50, "p99": total and total.p99},
            "stages_ms": {stage: p50 for stage, p50 in latency.items() if stage != "total"},
            "runtime": self.runtime,
            "precision": self.precision,
            "database": self.database,
            "pictures": self.pictures,
            "products": {name: _counts(tally) for name, tally in self.counts.products.items()},
        }

    def show(self, console: Console) -> None:
        console.print(self._verdicts(), self._latencies())
        console.print(f"Runtime   {self.runtime}, {self.precision}")
        console.print(f"Database  {self.database}", soft_wrap=True)
        console.print(f"Pictures  {self.pictures}", soft_wrap=True)

    def _verdicts(self) -> Table:
        names = ("OK", "NG", "FAULT", "defective", "missed", "false rejects")
        table = Table("product", "parts", *names, title="Verdicts against the rendered truth")
        rows = {**self.counts.products, "all": self.counts.total}
        for name, tally in rows.items():
            numbers = [*_counts(tally).values()]
            table.add_row(name or "–", *(str(n) for n in numbers))
        return table

    def _latencies(self) -> Table:
        table = Table("stage", "p50", "p99", title="Latency in ms")
        for stage, p in self.counts.latency_ms.items():
            table.add_row(stage, f"{p.p50:.2f}", f"{p.p99:.2f}")
        return table


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "parts": tally.triggers,
        "ok": tally.ok,
        "ng": tally.ng,
        "fault": tally.fault,
        "true_defective": tally.true_defective,
        "missed": tally.missed,
        "false_rejects": tally.false_rejects,
    }
