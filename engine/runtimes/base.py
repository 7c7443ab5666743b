"""What a runtime is: one method with arrays at its border, open only inside ``with``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.manifest import Precision, RuntimeName

Images: TypeAlias = NDArray[np.uint8]
"""Pictures at the model's size: ``(B, H, W, 3)`` uint8 RGB."""
Codes: TypeAlias = NDArray[np.int64]
"""Product codes: ``(B,)`` int64."""
Answers: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Raw maps ``(B, h, w)`` and raw scores ``(B,)``, both float32."""


def joined(answers: Iterable[Answers]) -> Answers:
    """Of parts of a batch, one after the other: those of the whole."""
    maps, scores = zip(*answers, strict=True)
    return np.concatenate(maps), np.concatenate(scores)


def in_turns(
    call: Callable[[Images, Codes], Answers], image: Images, product: Codes, most: int = 1
) -> Answers:
    """The answers to a batch, of which ``call`` takes ``most`` pictures at a time."""
    starts = range(0, len(image), most)
    return joined(call(image[i : i + most], product[i : i + most]) for i in starts)


class Runtime(Protocol):
    """Runs one plan. A context manager: the model is loaded on entering, freed on leaving."""

    @property
    def name(self) -> RuntimeName: ...

    @property
    def precision(self) -> Precision: ...

    @property
    def version(self) -> str: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def infer(self, image: Images, product: Codes) -> Answers:
        """Maps and scores; :class:`engine.types.InferenceError` if the runtime gives up."""
        ...


class Backend(Protocol):
    """What each runtime's module offers beside its class; a module itself fits this protocol."""

    def version(self) -> str:
        """The installed version; :class:`engine.types.MissingError` if there is none."""
        ...

    def save(self, model: onnx.ModelProto, folder: Path) -> None:
        """Write the model into ``folder`` in the runtime's own format."""
        ...

    def load(self, folder: Path, precision: Precision, threads: int | None) -> Runtime:
        """The runtime of a folder that :meth:`save` wrote; ``threads`` None means all cores."""
        ...
