"""What crosses every border of the house: the prediction, and the tree of errors.

Errors:
    KnownError              the world's fault: one sentence, what, where, what to do
    ├── InputError          exit 2  a picture, a folder, a file or an argument is not usable
    │   └── UnknownProductError
    ├── BundleError         exit 2  a bundle or a plan is truncated, edited, or of another schema
    ├── DatabaseError       exit 2  a database is locked, damaged, or newer than this program
    ├── AccessError         exit 2  a person did not log in, or may not do this
    ├── InferenceError      exit 2  the model gave no usable number (NaN, Inf, wrong shape)
    └── MissingError        exit 3  this machine lacks a package, a runtime, a camera, a display
Anything else is our own fault and crashes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""A picture: ``(H, W, 3)`` uint8 RGB."""
ScoreMap: TypeAlias = NDArray[np.float32]
"""An anomaly map: ``(H, W)`` float32, raw; larger is stranger."""
Mask: TypeAlias = NDArray[np.bool_]
"""A mask: ``(H, W)`` bool, true where the defect is."""


class KnownError(Exception):
    """The world's fault, in one sentence that says what, where and what to do."""

    exit_code: ClassVar[int] = 2


class InputError(KnownError):
    """A picture, a folder, a file or an argument cannot be used."""


class UnknownProductError(InputError):
    """A product was named that the model was not trained on, or ``who`` else does not know."""

    def __init__(self, product: str, known: Iterable[str], who: str = "this model") -> None:
        names = ", ".join(sorted(known))
        super().__init__(f"Unknown product {product!r}: {who} knows {names}.")


class BundleError(KnownError):
    """A bundle or plan is truncated, edited, or of a schema this program does not read."""


class DatabaseError(KnownError):
    """A database is locked, damaged, or written by a newer program."""


class AccessError(KnownError):
    """A person is not who he says he is, or may not do what he asked for."""


class InferenceError(KnownError):
    """The model gave no usable number."""


class MissingError(KnownError):
    """This machine lacks something: a package, a runtime, a camera, a display."""

    exit_code: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says about one picture.

    ``score`` and ``map`` are raw and share one unit, without bounds: nothing was clipped or
    normalised after the graph. ``map`` has the picture's own height and width.
    ``stages_ms`` holds the milliseconds of ``pre``, ``infer`` and ``post``.
    """

    score: float
    map: ScoreMap
    product: str
    stages_ms: Mapping[str, float]
