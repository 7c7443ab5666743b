"""The plan: a folder made from a bundle for one runtime, on the machine that will run it.

``plan.json`` (:class:`engine.manifest.PlanManifest`), the runtime's own files, the good parts that
the model knows (:mod:`engine.known`), golden pictures and what it has to say of them
(:mod:`engine.golden`), the sums and the signature of its bundle, ``SHA256SUMS``.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.bundle import Bundle
from engine.files import sha256_of
from engine.golden import Golden, read_golden
from engine.manifest import PlanManifest, parse
from engine.sealed import MARKERS, SIGNATURE, SUMS, verify
from engine.signature import require_signed
from engine.types import BundleError

PLAN = MARKERS["plan"]
BUNDLE_SUMS = f"bundle-{SUMS}"
BUNDLE_SIGNATURE = f"bundle-{SIGNATURE}"
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

    def signed_by(self, trusted: Sequence[Path]) -> Path:
        """The public key of ``trusted`` that signed the bundle it was built from;
        :class:`BundleError` if none did.

        The plan itself was made here, and is not signed: who may write it may do as he likes.
        """
        what = f"The bundle of the plan {self.folder}"
        sums = self.folder / BUNDLE_SUMS
        key = require_signed(sums, self.folder / BUNDLE_SIGNATURE, trusted, what)
        if sha256_of(sums) != self.manifest.bundle_sha256:
            raise BundleError(f"{what} is not the one whose signature lies there: {MEND}.")
        return key


def carry_signature(bundle: Bundle, folder: Path) -> None:
    """Copy what says who made the bundle into a plan's folder that is being made."""
    for name, kept in ((SUMS, BUNDLE_SUMS), (SIGNATURE, BUNDLE_SIGNATURE)):
        if (bundle.folder / name).is_file():
            shutil.copyfile(bundle.folder / name, folder / kept)


def read_plan(folder: Path, trusted: Sequence[Path] = ()) -> Plan:
    """Verify and open a plan; :class:`BundleError` names the file and the mend, or says that none
    of the ``trusted`` public keys, if there are any, signed its bundle."""
    sha256 = verify(folder, "plan", MEND)
    plan = Plan(folder, parse(PlanManifest, folder / PLAN, MEND), sha256)
    if trusted:
        plan.signed_by(trusted)
    return plan


def write_manifest(folder: Path, manifest: PlanManifest) -> None:
    """Write ``plan.json`` into a folder that is being made."""
    text = manifest.model_dump_json(indent=2) + "\n"
    (folder / PLAN).write_text(text, encoding="utf-8", newline="\n")
