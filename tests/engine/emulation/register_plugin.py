"""Run where TensorRT's own bindings load: registers the plugins and launches one on paper.

Of TensorRT two things are stood in for, since its libraries are stubs: the registry, and numbers
that it works out for symbolic shapes.
"""

import json
import sys
from typing import Any

import tensorrt_bindings as trt

sys.modules["tensorrt"] = trt
import tensorrt_bindings.plugin as trtp  # noqa: E402

from engine.plugins.quick import INPUTS, register  # noqa: E402


class Registry:
    def __init__(self) -> None:
        self.creators: dict[str, Any] = {}

    def register_creator(self, creator: Any, namespace: str) -> bool:
        self.creators[f"{namespace}::{creator.name}"] = creator
        return True

    def get_creator(self, name: str, version: str, namespace: str) -> Any:
        return self.creators[f"{namespace}::{name}"]


class Number:
    """A dimension that is known."""

    def __init__(self, value: int) -> None:
        self.value = value


class Numbers:
    """Works out what the bindings ask for."""

    def constant(self, value: int) -> Number:
        return Number(value)

    def operation(self, what: Any, left: Number, right: Number) -> Number:
        a, b = left.value, right.value
        known = {
            trt.DimensionOperation.CEIL_DIV: -(-a // (b or 1)),
            trt.DimensionOperation.SUM: a + b,
        }
        return Number(known[what])


def shown(dims: tuple[int, ...], dtype: Any) -> Any:
    return trtp.TensorDesc(trtp.ShapeExprs.from_tuple(dims), dtype)


registry = Registry()
trt.get_plugin_registry = lambda: registry
trt.IDimensionExpr = Number
register(trtp)
trtp._tensor.SymIntExpr._exprBuilder = Numbers()

found: dict[str, Any] = {"version": trt.__version__, "registered": sorted(registry.creators)}
for name, plugin in sorted(trtp._lib.QDP_REGISTRY.items()):
    inputs = [shown((2, 1, 80, 80), trt.float32), *(shown((1,), trt.float32) for _ in INPUTS)][:-1]
    outputs = plugin.register_func(*inputs)
    (types,) = plugin.autotune_func(*inputs, outputs)
    kernel, ptx, launch, extra = plugin.aot_impl_func(*inputs, outputs, 0)
    found[name] = {
        "outputs": len(outputs),
        "combinations": len(types._get_combinations()),
        "kernel": kernel,
        "in its ptx": f".entry {kernel}(" in ptx,
        "grid": [e._expr.value for e in (launch.grid_x, launch.grid_y, launch.grid_z)],
        "block": launch.block_x._expr.value,
        "extra": [e._expr.value for e in extra],
    }
sys.stdout.write(json.dumps(found) + "\n")
