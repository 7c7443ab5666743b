"""The plan: a folder made from a bundle for one runtime, on the machine that will run it.

``plan.json`` (:class:`engine.manifest.PlanManifest`), the runtime's own files, the good parts that
the model knows (:mod:`engine.known`), golden pictures and what it has to say of them
(:mod:`engine.golden`), ``SHA256SUMS``.
"""

from dataclasses import dataclass
from pathlib import Path

from engine.golden import Golden, read_golden
from engine.manifest import PlanManifest, parse
from engine.sealed import verify

PLAN = "plan.json"
MEND = "build it again with 'inspector build'"


@dataclass(frozen=True, slots=True)
class Plan:
    """A verified plan on disk; ``sha256`` is the hash of its SHA256SUMS, so of all of it."""

    folder: Path
    manifest: PlanManifest
    sha256: str

    @property
    def golden(self) -> Golden | None:
        """None where the plan was built before there were any; :class:`BundleError` where their
        file is damaged."""
        said = self.manifest
        return read_golden(self.folder, said.input, said.map, len(said.products))


def read_plan(folder: Path) -> Plan:
    """Verify and open a plan; :class:`engine.types.BundleError` names the file and the mend."""
    sha256 = verify(folder, "plan", MEND)
    return Plan(folder, parse(PlanManifest, folder / PLAN, MEND), sha256)


def write_manifest(folder: Path, manifest: PlanManifest) -> None:
    """Write ``plan.json`` into a folder that is being made."""
    text = manifest.model_dump_json(indent=2) + "\n"
    (folder / PLAN).write_text(text, encoding="utf-8", newline="\n")
