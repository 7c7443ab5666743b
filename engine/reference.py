"""What a bundle says when its three graphs run one after the other, nothing fused.

Slow and plain on purpose: every plan is compared with it before it is kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle import GRAPHS, OUTLINE, Bundle
from engine.fuse import schedule
from engine.runtimes.base import Answers, Codes, Images, in_turns
from engine.runtimes.ort import Session


def reference(bundle: Bundle, steps: int, image: Images, product: Codes) -> Answers:
    """Maps and scores of a batch, one picture after the other as a plan takes them, after ``steps``
    refinement steps, in f32 by ONNX Runtime."""
    trunk, step, head = (Session(bundle.graph(name).SerializeToString()) for name in GRAPHS)

    def one(image: Images, product: Codes) -> Answers:
        coarse, condition, film, distance, *outline = trunk.run(
            {"image": image, "product": product}
        )
        logits, x = coarse, np.tanh(coarse / 2)  # tanh(c / 2) is 2 sigmoid(c) - 1
        for t, keep in schedule(bundle.manifest.refinement, steps):
            x, logits = step.run(
                {
                    "x": x,
                    "coarse": coarse,
                    "condition": condition,
                    "film": film[:, t - 1],
                    "keep": np.array([keep], np.float32),
                }
            )
        taken: dict[str, NDArray[Any]] = {
            "logits": logits,
            "distance": distance,
            "product": product,
        }
        if outline:
            taken[OUTLINE] = outline[0]
        maps, scores = head.run(taken)
        return maps, scores

    return in_turns(one, image, product)
