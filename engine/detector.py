"""The one class a station calls: a picture and a product in, a score and a map out."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np

from engine.golden import Golden
from engine.manifest import PlanManifest
from engine.parity import Parity, measure, require
from engine.plan import MEND, read_plan
from engine.preprocess import resize, resize_map
from engine.runtimes.base import Answers, Runtime
from engine.runtimes.choice import backend
from engine.types import BundleError, Image, InferenceError, Prediction


class Detector:
    """Judges pictures with one plan. A context manager; use it from one thread at a time.

    ``plan`` says what answers; ``plan_sha256`` is the plan's seal ("" for a runtime that came
    without a folder); both belong into every record.
    """

    def __init__(
        self,
        runtime: Runtime,
        plan: PlanManifest,
        plan_sha256: str = "",
        golden: Callable[[], Golden | None] = lambda: None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.plan = plan
        self.plan_sha256 = plan_sha256
        self._golden = golden
        self._runtime = runtime
        self._clock = clock

    @classmethod
    def open(cls, plan: Path, threads: int | None = None, trusted: Sequence[Path] = ()) -> Self:
        """The detector of a plan folder; ``threads`` None takes what the plan was built with.

        :class:`BundleError` for a plan that is damaged, was built with another version of its
        runtime, or of a bundle that none of the ``trusted`` public keys signed, if there are any;
        :class:`MissingError` for a runtime that is not installed.
        """
        read = read_plan(plan, trusted)
        said = read.manifest
        made = backend(said.runtime)
        if made.version() != said.runtime_version:
            raise BundleError(
                f"The plan {plan} was built with {said.runtime} {said.runtime_version}, here is "
                f"{made.version()}: {MEND}."
            )
        runtime = made.load(plan, said.precision, threads or said.threads)
        return cls(runtime, said, read.sha256, lambda: read.golden)

    @property
    def products(self) -> tuple[str, ...]:
        """The products this model knows."""
        return self.plan.products

    def __enter__(self) -> Self:
        self._runtime.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runtime.__exit__(kind, error, trace)

    def detect(self, image: Image, product: str) -> Prediction:
        """Raw score and raw map of one picture ``(H, W, 3)`` uint8 RGB of any size.

        :class:`InputError` for what is no picture, :class:`UnknownProductError`, and
        :class:`InferenceError` where the model gives no usable number.
        """
        code = np.array([self.plan.code(product)], np.int64)
        started = self._clock()
        fitted = resize(image, self.plan.input.height, self.plan.input.width)[None]
        prepared = self._clock()
        answers = self._runtime.infer(fitted, code)
        inferred = self._clock()
        self._check(answers)
        score_map = resize_map(answers[0][0], *image.shape[:2])
        done = self._clock()
        return Prediction(
            score=float(answers[1][0]),
            map=score_map,
            product=product,
            stages_ms={
                "pre": (prepared - started) * 1e3,
                "infer": (inferred - prepared) * 1e3,
                "post": (done - inferred) * 1e3,
            },
        )

    def warm_up(self) -> None:
        """Run one grey picture, so that the first part does not pay for what is done once."""
        size = self.plan.input
        grey = np.full((size.height, size.width, 3), 128, np.uint8)
        self.detect(grey, self.products[0])

    def verify(
        self,
        limits: Mapping[str, float] = MappingProxyType({}),
        products: Sequence[str] = (),
        told: Callable[[Parity], object] = lambda parity: None,
    ) -> Parity:
        """Ask about the plan's golden pictures, of all products if none are given;
        :class:`BundleError` where it may not be put into service: it answers otherwise than its
        bundle, or a verdict at ``limits``, the scores by product above which a part is NG, is
        another. ``told`` hears what was measured, before anything is refused for it."""
        golden = self._golden()
        if golden is None:
            raise BundleError(f"The plan {self.plan.bundle_name} has no golden pictures: {MEND}.")
        by_code = np.array([limits.get(p, np.nan) for p in self.products])
        codes = [self.plan.code(product) for product in products] or None
        parity = measure(self._runtime, golden, by_code, codes)
        told(parity)
        require(parity, self.plan.precision, f"The plan of {self.plan.bundle_name}", MEND)
        return parity

    def _check(self, answers: Answers) -> None:
        maps, scores = answers
        expected = (1, self.plan.map.height, self.plan.map.width)
        if maps.shape != expected or scores.shape != (1,):
            raise InferenceError(
                f"The plan {self.plan.bundle_name} answered with a map of {maps.shape} and a "
                f"score of {scores.shape}, not {expected} and (1,): {MEND}."
            )
        if not (np.isfinite(maps).all() and np.isfinite(scores).all()):
            raise InferenceError(
                f"The plan {self.plan.bundle_name} answered with NaN or infinity: look at the "
                f"picture, and if it is a good one, {MEND}."
            )
