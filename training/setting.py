"""The machine and the plan that a latency was measured on; no torch here."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from engine.detector import Detector

CPUINFO = Path("/proc/cpuinfo")  # of Linux


@dataclass(frozen=True, slots=True)
class Setting:
    """What milliseconds are worth nothing without.

    A plan without ``threads`` leaves their number to its runtime, which takes up to all ``cores``
    that this process may run on: that many are given then, and ``threads_fixed`` is false.
    """

    cpu: str
    cores: int
    threads: int
    threads_fixed: bool
    runtime: str
    runtime_version: str
    precision: str
    plan_sha256: str
    input_height_px: int
    input_width_px: int
    steps: int


def setting(detector: Detector) -> Setting:
    """Of the detector on this machine."""
    plan, cores = detector.plan, usable_cores()
    return Setting(
        cpu=cpu_model(),
        cores=cores,
        threads=plan.threads or cores,
        threads_fixed=plan.threads is not None,
        runtime=plan.runtime,
        runtime_version=plan.runtime_version,
        precision=plan.precision,
        plan_sha256=detector.plan_sha256,
        input_height_px=plan.input.height,
        input_width_px=plan.input.width,
        steps=plan.steps,
    )


def cpu_model(cpuinfo: Path = CPUINFO) -> str:
    """The CPU's name where Linux tells it, else what Python knows of it."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, named), "") or platform.processor() or platform.machine() or "unknown"


def usable_cores() -> int:
    """Logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
