"""Inspect a folder of pictures into files: one ``.npz`` a picture, overlays on request."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.detector import Detector
from engine.files import whole_file
from engine.overlay import overlay
from engine.pictures import list_pictures, read_picture
from engine.types import InferenceError, InputError, Prediction, ScoreMap

Progress = Callable[[Sequence[Path], str], Iterable[Path]]
NAMED = 5  # failed pictures named in the closing sentence


@dataclass(frozen=True, slots=True)
class FolderResult:
    """Raw scores by picture, and the reason for each picture that has none.

    Names are paths below the folder, with ``/``.
    """

    scores: dict[str, float]
    failed: dict[str, str]

    def check(self) -> None:
        """:class:`InputError` naming the pictures that could not be inspected, if there are any."""
        if not self.failed:
            return
        names = list(self.failed)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise InputError(
            f"{len(names)} of {len(names) + len(self.scores)} pictures could not be inspected: "
            f"{', '.join(names[:NAMED])}{more}; replace them, the others are done. "
            f"The first says: {self.failed[names[0]]}"
        )


def inspect_folder(
    detector: Detector,
    folder: Path,
    product: str,
    out: Path,
    *,
    overlays: bool,
    progress: Progress = lambda items, _: items,
) -> FolderResult:
    """Write ``out/<path below folder, without suffix>.npz`` for every picture below ``folder``.

    Each holds ``score`` (raw float) and ``map`` (float32 at the picture's own size); with
    ``overlays`` a PNG lies beside. A picture that cannot be read or judged is noted and the rest
    goes on. :class:`InputError` for an empty folder, two pictures that share one name, or an
    ``out`` that cannot be written; no file is left half-written.
    """
    detector.plan.code(product)
    targets = _targets(folder, out)
    result = FolderResult({}, {})
    for picture in progress(list(targets), "inspecting"):
        name = picture.relative_to(folder).as_posix()
        try:
            prediction = detector.detect(read_picture(picture), product)
        except (InputError, InferenceError) as error:
            result.failed[name] = str(error)
            continue
        _write_npz(targets[picture], prediction)
        result.scores[name] = prediction.score
    if overlays:
        done = [p for p in targets if p.relative_to(folder).as_posix() in result.scores]
        _write_overlays({p: targets[p] for p in done}, progress)
    return result


def read_map(path: Path) -> ScoreMap:
    """The map of an ``.npz`` that :func:`inspect_folder` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive["map"], np.float32)


def _targets(folder: Path, out: Path) -> dict[Path, Path]:
    """Each picture's ``.npz``, none written twice."""
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{out} lies inside {folder}, so its overlays would be inspected next time: "
            "name a folder elsewhere."
        )
    owners: dict[Path, Path] = {}
    for picture in list_pictures(folder):
        target = (out / picture.relative_to(folder)).with_suffix(".npz")
        if target in owners:
            raise InputError(f"{owners[target]} and {picture} would share one result: rename one.")
        owners[target] = picture
    return {picture: target for target, picture in owners.items()}


def _write_overlays(targets: dict[Path, Path], progress: Progress) -> None:
    """One scale for the whole folder, from the calmest map's median to the hottest peak.

    A scale of each picture's own would paint the best of parts as hot as the worst.
    """
    if not targets:
        return
    calm, peaks = zip(*(_span(read_map(target)) for target in targets.values()), strict=True)
    low = min(calm)
    high = max(low + 1e-6, *peaks)
    for picture in progress(list(targets), "drawing"):
        target = targets[picture]
        drawn = overlay(read_picture(picture), read_map(target), low=low, high=high)
        _, png = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        with whole_file(target.with_suffix(".png")) as part:
            part.write_bytes(png.tobytes())


def _span(score_map: ScoreMap) -> tuple[float, float]:
    return float(np.median(score_map)), float(score_map.max())


def _write_npz(target: Path, prediction: Prediction) -> None:
    with whole_file(target) as part, part.open("wb") as file:
        np.savez(file, score=np.float64(prediction.score), map=prediction.map)
