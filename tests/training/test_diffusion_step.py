"""The fused diffusion step against the network's own, where there is no GPU.

Its source is compiled for the CPU, with threads, barriers and tensor cores emulated, and for the
GPUs by nvcc where that is installed; how fast it is and whether two threads race, this cannot show.
"""

import ctypes
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.plugins.pack import CHANNELS, SOURCE, grid, packed
from tests.training.micro import MODEL
from training.model.refine import Denoiser, step_down, to_map

EMULATION = Path(__file__).parents[1] / "engine" / "emulation"
CLOSE = 2e-3  # of the state, in [-1, 1]: fp16 between the convolutions
SMS = ("sm_87", "sm_90")


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The source, compiled as C++; what it does wrong with numbers ends the process."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler here: the fused step is not emulated")
    library = tmp_path_factory.mktemp("kernel") / "step.so"
    folders = [f"-I{EMULATION}", f"-I{SOURCE.parent}"]
    call = [compiler, "-std=c++17", "-O2", "-shared", "-fPIC", "-Wno-unknown-pragmas", *folders]
    subprocess.run([*call, EMULATION / "run.cpp", "-o", library], check=True)
    return ctypes.CDLL(str(library))


def denoiser(channels: int) -> Denoiser:
    """With weights that use every part of it."""
    torch.manual_seed(channels)
    made = Denoiser(MODEL.model_copy(update={"refiner_channels": channels}), 8)
    with torch.no_grad():
        for tensor in (*made.last.parameters(), *made.conv2.parameters()):
            tensor.copy_(0.2 * torch.randn(tensor.shape))
    return made


def inputs(channels: int, side: int, pictures: int) -> dict[str, torch.Tensor]:
    """A state as the sampler meets it: blobs, noise, and something at every border."""
    torch.manual_seed(side)
    coarse = 3 * torch.randn(pictures, 1, side, side)
    x = to_map(coarse) * torch.rand(pictures, 1, side, side)
    condition = torch.randn(pictures, channels, side, side)
    film = 0.3 * torch.randn(pictures, 6 * channels)
    return {"x": x, "coarse": coarse, "condition": condition, "film": film}


@torch.no_grad()
def reference(step: Denoiser, given: dict[str, torch.Tensor], keep: float) -> list[NDArray]:
    """Next state and logit in float64."""
    exact = {name: tensor.double() for name, tensor in given.items()}
    logit = step.double()(**exact)
    step.float()
    return [step_down(exact["x"], to_map(logit), keep).numpy(), logit.numpy()]


def arguments(step: Denoiser, given: dict[str, torch.Tensor], keep: float) -> list[NDArray]:
    """The kernel's, in its order."""
    weights = {name: tensor.detach().numpy() for name, tensor in step.named_parameters()}
    return [
        given["x"].numpy(),
        given["coarse"].numpy(),
        given["condition"].permute(0, 2, 3, 1).contiguous().half().numpy(),
        given["film"].numpy(),
        np.array([keep], np.float32),
        *packed(weights).values(),
    ]


def emulated(kernel: ctypes.CDLL, given: Sequence[NDArray], channels: int) -> list[NDArray]:
    pictures, _, side, _ = given[0].shape
    out = [np.full_like(given[0], np.nan) for _ in range(2)]
    pointers = (ctypes.c_void_p * len(given))(*(array.ctypes.data for array in given))
    blocks = (ctypes.c_uint * 3)(*grid(channels, side, pictures))
    written = [ctypes.c_void_p(array.ctypes.data) for array in out]
    kernel.run(channels, blocks, pointers, side, *written)
    return out


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(
    ("side", "pictures"),
    [(56, 1), *(pytest.param(side, 1, marks=pytest.mark.slow) for side in (64, 80)), (30, 2)],
)
def test_the_fused_step_is_the_networks(
    kernel: ctypes.CDLL, channels: int, side: int, pictures: int
) -> None:
    step, given, keep = denoiser(channels), inputs(channels, side, pictures), 0.7
    found = emulated(kernel, arguments(step, given, keep), channels)
    x_next, logits = reference(step, given, keep)
    np.testing.assert_allclose(found[0], x_next, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(found[1], logits, rtol=CLOSE, atol=5 * CLOSE)


def test_a_wrong_weight_shows(kernel: ctypes.CDLL) -> None:
    step, given = denoiser(16), inputs(16, 30, 1)
    told = arguments(step, given, 0.7)
    told[6] = told[6].copy()
    told[6][4, 0, 0, 5, 1, 0] += 0.5  # one weight of 2304
    found = emulated(kernel, told, 16)
    assert np.abs(found[0] - reference(step, given, 0.7)[0]).max() > 5 * CLOSE


@pytest.mark.parametrize("sm", SMS)
def test_the_kernel_fits_without_spills(tmp_path: Path, sm: str) -> None:
    compiler = shutil.which("nvcc")
    if compiler is None:
        pytest.skip("no nvcc here: the kernel's registers and memory are not known")
    call = [compiler, "-cubin", f"-arch={sm}", "-Xptxas", "-v", "-o", tmp_path / "step.cubin"]
    said = subprocess.run([*call, SOURCE], check=True, capture_output=True, text=True).stderr
    memory = [int(found) for found in re.findall(r"(\d+) bytes smem", said)]
    assert len(memory) == len(CHANNELS)
    assert max(memory) < 48 * 1024
    spilt = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+)", said)
    assert spilt == [("0", "0", "0")] * len(CHANNELS)
