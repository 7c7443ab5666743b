"""One process, or as many as torchrun started: they share the batches and agree on the weights.

On the CPU, or each on a GPU of its own.

Rank 0 alone writes files, keeps time and makes what is made once; the others wait and read it.
"""

import os
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from engine.types import InputError, MissingError
from training.config import Precision, TrainConfig
from training.report import Report

Device = Literal["auto", "cpu", "cuda"]


def device_here(wanted: Device) -> Literal["cpu", "cuda"]:
    """``auto``: a GPU if there is one; :class:`MissingError` where one is asked for in vain."""
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise MissingError(
            "PyTorch finds no NVIDIA GPU here: mend its driver, or train with --device cpu."
        )
    return "cuda" if found and wanted != "cpu" else "cpu"


def precision_here(
    wanted: Precision, device: Literal["cpu", "cuda"] = "cpu"
) -> Literal["32-true", "bf16-mixed"]:
    """``auto`` settled by what the device multiplies in hardware."""
    if wanted != "auto":
        return wanted
    if device == "cuda":
        does = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has = torch.cpu.get_capabilities()
        does = has.get("avx512_bf16") or has.get("amx_bf16")
    return "bf16-mixed" if does else "32-true"


def launched(config: TrainConfig, device: Device = "auto") -> Fabric:
    """The Fabric of this process; :class:`InputError` where a batch cannot be shared evenly,
    :class:`MissingError` where there is no such device."""
    accelerator = device_here(device)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if config.batch % world:
        raise InputError(
            f"A batch of {config.batch} cannot be shared by {world} processes: start a number that "
            "divides it."
        )
    # A stage trains some of the model's weights; buffers, the bank among them, are the same
    # everywhere from the start.
    shared = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)
    fabric = Fabric(
        accelerator=accelerator,
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        num_nodes=world // int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        strategy=shared if world > 1 else "auto",
        precision=precision_here(config.precision, accelerator),
    )
    fabric.launch()
    return fabric


def alone(config: TrainConfig, what: str, device: Device = "auto") -> Fabric:
    """One process, for work that is not shared; :class:`InputError` under torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(f"'{what}' runs in one process: start it without torchrun.")
    return launched(config, device)


def told_once(report: Report, fabric: Fabric) -> Report:
    """Only rank 0 has somebody who watches."""
    return report if fabric.is_global_zero else _to_nobody


def _to_nobody(what: str, share: float, note: str) -> None:
    pass
