"""The fused step as TensorRT's quickly deployable plugin (``tensorrt.plugin``, 10.9 to 11.x).

Compiled ahead of time: the plan takes the kernel's PTX in, and needs neither Python nor this
package when it runs. TensorRT hands a kernel its inputs, then what is extra, then its outputs; one
kernel a node, no workspace, int32 as the only extra arguments.
"""

import inspect
from pathlib import Path
from types import GenericAlias
from typing import Any

from engine.plugins.node import NAMESPACE, PLUGIN
from engine.plugins.pack import CHANNELS, THREADS, TILE

PTX = Path(__file__).with_name("diffusion_step.ptx")
"""Compiled for sm_80 by ``scripts/make_ptx``; newer GPUs translate it when a plan is built."""

INPUTS = {
    "x": "FP32",
    "coarse": "FP32",
    "condition": "FP16",
    "film": "FP32",
    "keep": "FP32",
    "w_first": "FP32",
    "w_second": "FP16",
    "b_second": "FP32",
    "w_third": "FP16",
    "b_third": "FP32",
    "w_last": "FP32",
    "b_last": "FP32",
}
"""The kernel's inputs in its order, and what they are made of."""
OUTPUTS = {"x_next": "FP32", "logits": "FP32"}


def register(trtp: Any) -> None:
    """Make the plugins known to TensorRT, once; ``trtp`` is the module ``tensorrt.plugin``."""
    for channels in CHANNELS:
        _register(trtp, f"{NAMESPACE}::{PLUGIN}{channels}", channels)


def _register(trtp: Any, plugin: str, channels: int) -> None:
    """TensorRT reads what each function takes and gives from its signature."""
    tensor = trtp.TensorDesc
    two = GenericAlias(tuple, (tensor, tensor))
    shown = [_parameter(name, tensor) for name in INPUTS]
    outputs, tactic = (
        _parameter("outputs", GenericAlias(tuple, (tensor,))),
        _parameter("tactic", int),
    )

    def describe(*inputs: Any) -> Any:
        return inputs[0].like(), inputs[0].like()

    def combinations(*_: Any) -> Any:
        types = ", ".join([*INPUTS.values(), *OUTPUTS.values()])
        return [trtp.AutoTuneCombination(types, "LINEAR")]

    def kernel(*inputs: Any) -> Any:
        pictures, _, side, _ = (inputs[0].shape_expr[i] for i in range(4))
        launch = trtp.KernelLaunchParams()
        launch.grid_x = launch.grid_y = trtp.cdiv(side, TILE[channels])
        launch.grid_z = pictures
        launch.block_x = THREADS
        extra = trtp.SymIntExprs(1)
        extra[0] = trtp.SymInt32(side)
        return f"diffusion_step_{channels}", PTX.read_text("utf-8"), launch, extra

    made = GenericAlias(tuple, (str, str, trtp.KernelLaunchParams, trtp.SymIntExprs))
    trtp.register(plugin)(_signed(describe, shown, two))
    combination = GenericAlias(list, (trtp.AutoTuneCombination,))
    trtp.autotune(plugin)(_signed(combinations, [*shown, outputs], combination))
    trtp.aot_impl(plugin)(_signed(kernel, [*shown, outputs, tactic], made))


def _parameter(name: str, kind: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind)


def _signed(function: Any, parameters: list[inspect.Parameter], returned: Any) -> Any:
    function.__signature__ = inspect.Signature(parameters, return_annotation=returned)
    return function
