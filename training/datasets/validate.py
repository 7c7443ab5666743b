"""What is wrong with a data set, in words: before it is trained on, not after."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from engine.types import InputError
from training.datasets.copies import Pair, exact_copies, near_copies
from training.datasets.dataset import Dataset
from training.datasets.looks import Look, look_at
from training.datasets.sample import FEWEST_GOODS, Sample, name_below, read_mask
from training.datasets.strays import unnamed, without_picture
from training.datasets.suspects import suspicious
from training.report import Report

FEW_GOODS = 50  # below, a memory has not seen what good parts may look like
NAMED = 3  # pictures named in a finding; the rest are counted

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``paths`` are all the files it is about, below the data set."""

    severity: Severity
    product: str
    words: str
    paths: tuple[str, ...] = ()


def validate(dataset: Dataset, report: Report) -> list[Finding]:
    """Every finding, errors first; :class:`InputError` where there are no pictures at all."""
    if not dataset.samples:
        dataset.chosen([])  # which says what was expected
    findings: list[Finding] = []
    seen: dict[str, Look] = {}
    strays = unnamed(dataset)
    for product in sorted({s.product for s in dataset.samples}):
        own = [s for s in dataset.samples if s.product == product]
        check = _Check(product, dataset.root)
        looks: list[Look] = []
        findings += check.looked_at(own, looks, report)
        findings += check.all_of(own, looks)
        findings += check.elsewhere(looks, seen)
        findings += check.unread(without_picture(dataset, product), strays)
        seen |= {look.pixels: look for look in looks}
    return sorted(findings, key=lambda f: (f.severity, f.product))


def strange_goods(run: Path, root: Path) -> list[Finding]:
    """What a finished run says of the goods it was trained on, a warning a product."""
    found: dict[str, list[Path]] = {}
    for ranked in suspicious(run):
        found.setdefault(ranked.product, []).append(ranked.path)
    check = {product: _Check(product, root) for product in found}
    return [check[product].strange(paths) for product, paths in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class _Check:
    """The checks of one product's pictures."""

    product: str
    root: Path

    def looked_at(
        self, samples: Sequence[Sample], looks: list[Look], report: Report
    ) -> Iterator[Finding]:
        """One picture after the other; ``looks`` are those that can be read."""
        for i, sample in enumerate(samples):
            report(f"looking at {self.product}", (i + 1) / len(samples), f"{i + 1} pictures")
            try:
                looks.append(look_at(sample))
                yield from self._mask(looks[-1])
            except InputError as error:
                yield self._error(str(error), [sample.path])

    def all_of(self, samples: Sequence[Sample], looks: Sequence[Look]) -> Iterator[Finding]:
        """The pictures of the product beside one another."""
        yield from self._goods(looks)
        yield from self._sizes_and_modes([x for x in looks if not x.is_blank])
        yield from self._copies(looks)
        yield from self._coverage(samples)

    def _mask(self, look: Look) -> Iterator[Finding]:
        path = look.sample.mask_path
        if path is None:
            return
        mask = read_mask(path)
        height, width = mask.shape
        if (width, height) != (look.width, look.height):
            yield self._error(
                f"The mask {self._name(path)} is {width}×{height}, its picture "
                f"{look.width}×{look.height}: make them the same size.",
                [path],
            )
        elif look.sample.is_defective and not mask.any():
            yield self._error(
                f"The mask {self._name(path)} marks nothing: draw it, or count the picture "
                "among the good ones.",
                [path],
            )
        elif mask.any() and not look.sample.is_defective:
            yield self._error(look.sample.marked_though_good, [path])

    def _goods(self, looks: Sequence[Look]) -> Iterator[Finding]:
        count = sum(x.is_training_good for x in looks)
        if count < FEWEST_GOODS:
            yield self._error(f"{count} good pictures to train on: take {FEWEST_GOODS} at least.")
        elif count < FEW_GOODS:
            yield self._warning(
                f"{count} good pictures to train on are few: {FEW_GOODS} or more serve better."
            )
        if blank := [x.sample.path for x in looks if x.is_blank]:
            yield self._error(f"Blank pictures, which show nothing: {self._some(blank)}.", blank)
        train = [x.sample for x in looks if x.sample.split == "train"]
        if spoilt := [s.path for s in train if s.is_defective]:
            yield self._warning(
                f"Defective pictures in the training split are not used: {self._some(spoilt)}.",
                spoilt,
            )

    def strange(self, paths: Sequence[Path]) -> Finding:
        """Good pictures that a model trained on the others finds strange, the strangest first."""
        return self._warning(
            f"{len(paths)} good pictures look like none of the others: {self._some(paths)}. See "
            "that they are good.",
            paths,
        )

    def _sizes_and_modes(self, looks: Sequence[Look]) -> Iterator[Finding]:
        sizes = sorted({(x.width, x.height) for x in looks})
        if len(sizes) > 1:
            (least, most) = (f"{width}×{height}" for width, height in (sizes[0], sizes[-1]))
            yield self._warning(f"Pictures of {len(sizes)} sizes, from {least} to {most}.")
        (usual, _), *others = Counter(x.is_grey for x in looks).most_common() or [(False, 0)]
        if others:
            odd = [x.sample.path for x in looks if x.is_grey != usual]
            kinds = "grey, others in colour" if usual else "in colour, others grey"
            yield self._warning(f"Most pictures are {kinds}: {self._some(odd)}.", odd)
        (depth, _), *rest = Counter(x.depth for x in looks).most_common() or [("", 0)]
        for other, _ in rest:
            odd = [x.sample.path for x in looks if x.depth == other]
            words = f"Most pictures have {depth}, {len(odd)} have {other}: {self._some(odd)}."
            yield self._warning(words, odd)

    def _copies(self, looks: Sequence[Look]) -> Iterator[Finding]:
        looks = sorted(looks, key=lambda x: x.sample.split != "train")
        pairs = _pairs(looks)
        if across := [p for p in pairs if _crosses(p, looks)]:
            yield self._error(
                f"{len(across)} test pictures are copies of training pictures, which makes figures "
                f"too good: {self._told(across, looks)}.",
                [looks[p.second].sample.path for p in across],
            )
        if inside := [p for p in pairs if p not in across and _labels_agree(p, looks)]:
            yield self._warning(
                f"{len(inside)} pictures are copies within their split, which add nothing: "
                f"{self._told(inside, looks)}.",
                [looks[p.second].sample.path for p in inside],
            )

    def elsewhere(self, looks: Sequence[Look], seen: Mapping[str, Look]) -> Iterator[Finding]:
        """Exact copies of pictures that count as another product's."""
        if copies := [x for x in looks if x.pixels in seen and not x.is_blank]:
            first = self._name(seen[copies[0].pixels].sample.path)
            paths = [x.sample.path for x in copies]
            yield self._warning(
                f"{len(copies)} pictures are another product's, too, the first is {first}: "
                f"{self._some(paths)}.",
                paths,
            )

    def unread(self, masks: Sequence[Path], strays: Sequence[Sample]) -> Iterator[Finding]:
        """Files that nobody asks for."""
        if masks:
            words = f"{len(masks)} masks are named after no picture: {self._some(masks)}."
            yield self._error(words, masks)
        if paths := [s.path for s in strays if s.product == self.product]:
            words = f"{len(paths)} pictures are not in the manifest: {self._some(paths)}."
            yield self._warning(words, paths)

    def _told(self, pairs: Sequence[Pair], looks: Sequence[Look]) -> str:
        told = []
        for pair in pairs[:NAMED]:
            first, second = looks[pair.first], looks[pair.second]
            kind = "is" if first.pixels == second.pixels else "is nearly"
            told.append(f"{self._name(second.sample.path)} {kind} {self._name(first.sample.path)}")
        return ", ".join(told) + _and_more(len(pairs))

    def _coverage(self, samples: Sequence[Sample]) -> Iterator[Finding]:
        """Masks that are not there: figures by pixel would cover some of the defects only."""
        defects = [s for s in samples if s.is_defective and s.split == "test"]
        bare = [s.path for s in defects if s.mask_path is None]
        if bare and len(bare) < len(defects):
            words = f"{len(bare)} of {len(defects)} defects have no mask: {self._some(bare)}."
            yield self._error(words, bare)
        elif bare:
            yield self._warning("No defect has a mask: pictures can be measured, pixels cannot.")

    def _error(self, words: str, paths: Sequence[Path] = ()) -> Finding:
        return Finding("error", self.product, words, tuple(map(self._name, paths)))

    def _warning(self, words: str, paths: Sequence[Path] = ()) -> Finding:
        return Finding("warning", self.product, words, tuple(map(self._name, paths)))

    def _some(self, paths: Sequence[Path]) -> str:
        return ", ".join(map(self._name, paths[:NAMED])) + _and_more(len(paths))

    def _name(self, path: Path) -> str:
        return name_below(path, self.root)


def _pairs(looks: Sequence[Look]) -> list[Pair]:
    """A pair for every picture that repeats an earlier one, training pictures being the earlier.

    Of several, a test picture's copy of a training picture counts first, then the exact one.
    """
    exact = {p.second: p for p in exact_copies([x.pixels for x in looks])}
    goods = [i for i, x in enumerate(looks) if x.is_training_good and i not in exact]
    near = {p.second: p for p in near_copies([x.print for x in looks], goods)}
    across = [{i: p for i, p in pairs.items() if _crosses(p, looks)} for pairs in (near, exact)]
    found = near | exact | across[0] | across[1]
    return [found[i] for i in sorted(found)]


def _crosses(pair: Pair, looks: Sequence[Look]) -> bool:
    return looks[pair.first].sample.split != looks[pair.second].sample.split


def _labels_agree(pair: Pair, looks: Sequence[Look]) -> bool:
    """A part before and after it was spoilt is a pair on purpose."""
    return looks[pair.first].sample.label == looks[pair.second].sample.label


def _and_more(count: int) -> str:
    return f" and {count - NAMED} more" if count > NAMED else ""
