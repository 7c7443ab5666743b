"""TensorRT's own bindings take the plugin, where there is no TensorRT.

The bindings are genuine, the libraries behind them stubs that answer nothing: names and signatures
are real, and nothing can be built. Where a real TensorRT loads, this is not asked.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from engine.plugins.pack import SOURCE, TILE, grid
from engine.plugins.quick import INPUTS, OUTPUTS, PTX

EMULATION = Path(__file__).with_name("emulation")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of libraries that answer nothing."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None or find_spec("tensorrt_bindings") is None:
        pytest.skip("no TensorRT bindings here, or no C compiler for the stubs behind them")
    if find_spec("tensorrt_libs") is not None:
        pytest.skip("TensorRT itself is here: stubs would hide it")
    made = tmp_path_factory.mktemp("stubs")
    for name in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
        library = made / f"lib{name}.so.11"
        call = [compiler, "-shared", "-fPIC", EMULATION / "tensorrt_stub.c", "-o", library]
        subprocess.run(call, check=True)
    return made


def said_by(script: str, stubs: Path, *arguments: object) -> dict[str, Any]:
    """The last line of a script that runs over the stubs, in a process of its own."""
    environment = os.environ | {"LD_LIBRARY_PATH": str(stubs), "PYTHONPATH": str(ROOT)}
    call = [sys.executable, EMULATION / script, *map(str, arguments)]
    said = subprocess.run(call, capture_output=True, text=True, env=environment, check=False)
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def told(stubs: Path) -> dict[str, Any]:
    """What registering the plugins gave."""
    return said_by("register_plugin.py", stubs)


def test_every_name_that_the_runtime_asks_for_is_tensorrts(stubs: Path) -> None:
    found = said_by("names_of_tensorrt.py", stubs, ROOT / "engine" / "runtimes" / "trt.py")
    assert found["lacking"] == []
    assert found["asked"] > 40


def test_the_decorators_accept_the_plugins(told: dict[str, Any]) -> None:
    assert told["registered"] == ["promptmad::DiffusionStep16", "promptmad::DiffusionStep32"]


@pytest.mark.parametrize("channels", [16, 32])
def test_a_launch_covers_the_map(told: dict[str, Any], channels: int) -> None:
    plugin = told[f"promptmad::DiffusionStep{channels}"]
    assert plugin == {
        "outputs": len(OUTPUTS),
        "combinations": 1,
        "kernel": f"diffusion_step_{channels}",
        "in its ptx": True,
        "grid": list(grid(channels, 80, 2)),
        "block": 256,
        "extra": [80],
    }
    assert plugin["grid"][0] * TILE[channels] >= 80


def test_the_ptx_is_of_the_source_that_lies_beside_it() -> None:
    """Mended by ``scripts/make_ptx``, which needs nvcc."""
    first = PTX.read_text("utf-8").splitlines()[0]
    assert first.endswith(hashlib.sha256(SOURCE.read_bytes()).hexdigest())


def test_the_plugin_takes_what_the_kernel_takes() -> None:
    declared = SOURCE.read_text("utf-8").split('extern "C"')[1].split("{")[0].split("(", 2)[2]
    names = [part.replace("\\", "").split()[-1].lstrip("*") for part in declared.split(",")]
    names[-1] = names[-1].rstrip(")")
    assert names == [*INPUTS, "side", *OUTPUTS]
