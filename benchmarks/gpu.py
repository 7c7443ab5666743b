"""The fused diffusion step, and the whole model around it, on an NVIDIA GPU.

    python benchmarks/gpu.py --out RESULTS [--rounds 200]

Without TensorRT: the kernel's PTX is loaded through CUDA's driver and launched on torch's stream.
Three tables: how far the kernel is from float64, on fresh random inputs; ten steps of it against
ten of the network's own in fp16, both replayed from a CUDA graph; pictures a second of the whole
model, fused, at 224 px, as PyTorch runs it and with all before the steps through torch.compile.
Times are CUDA events' medians; ratios are of one run. Weights are random: nothing here says how
well anything is found.
"""

import argparse
import ctypes
import json
import shlex
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from realbench import here
from torch import Tensor

from engine.fuse import timesteps
from engine.plugins.pack import CHANNELS, THREADS, grid, packed
from engine.plugins.quick import PTX
from training.config import ModelConfig, config_named, over
from training.model.backbone import Backbone
from training.model.promptmad import Coarse, PromptMAD
from training.model.refine import Denoiser, noise_share, step_down, to_map
from training.model.settled import films_of, settled

GPU = torch.device("cuda")
SIDES = (56, 64, 80, 96)
BATCHES = (1, 8, 64)
STEPS = 10
MODELS = {"promptmad-bank-small": "resnet18", "promptmad-bank-full": "efficientnet_b4"}
SIDE_PX = 224
PRODUCTS = 8


class Kernel:
    """One kernel of the PTX that plans take in, launched on torch's own stream."""

    def __init__(self, channels: int) -> None:
        torch.zeros(1, device=GPU)  # torch makes the context that the module is loaded into
        self._cuda = ctypes.CDLL("libcuda.so.1")
        self._function, module = ctypes.c_void_p(), ctypes.c_void_p()
        self._ask("cuModuleLoadData", ctypes.byref(module), PTX.read_bytes() + b"\0")
        name = f"diffusion_step_{channels}".encode()
        self._ask("cuModuleGetFunction", ctypes.byref(self._function), module, name)
        self._channels = channels

    def __call__(self, inputs: Sequence[Tensor], x_next: Tensor, logits: Tensor) -> None:
        pictures, _, side, _ = x_next.shape
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in (*inputs, x_next, logits)]
        values = [*pointers[:-2], ctypes.c_int(side), *pointers[-2:]]
        packed = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        blocks = grid(self._channels, side, pictures)
        launch = (*blocks, THREADS, 1, 1, 0, stream, packed, None)
        self._ask("cuLaunchKernel", self._function, *launch)

    def _ask(self, call: str, *arguments: Any) -> None:
        if error := getattr(self._cuda, call)(*arguments):
            raise RuntimeError(f"{call} failed with error {error} of CUDA's driver")


class Fused:
    """The sampler of a denoiser, each step one kernel."""

    def __init__(self, denoiser: Denoiser, shares: Sequence[float]) -> None:
        weights = {n: p.detach().cpu().float().numpy() for n, p in denoiser.named_parameters()}
        self._weights = [torch.from_numpy(w).to(GPU) for w in packed(weights).values()]
        self._kernel = Kernel(len(weights["conv2.bias"]))
        self._times = [*timesteps(denoiser.steps, STEPS), 0]
        pairs = pairwise(self._times)
        self._keeps = [torch.tensor([shares[s] / shares[t]], device=GPU) for t, s in pairs]

    def step(
        self, x: Tensor, coarse: Tensor, condition: Tensor, film: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``condition (B, s, s, C)`` fp16, the others fp32 as the network takes them."""
        out = torch.empty_like(x), torch.empty_like(x)
        self._kernel([x, coarse, condition, film, keep, *self._weights], *out)
        return out

    def __call__(self, coarse: Tensor, condition: Tensor, films: Tensor) -> Tensor:
        """Ten steps: the refined logit. ``condition (B, C, s, s)``, ``films (B, T, F)``."""
        coarse, condition = coarse.float(), condition.permute(0, 2, 3, 1).contiguous().half()
        x, logits = to_map(coarse), coarse
        for t, keep in zip(self._times, self._keeps, strict=False):
            film = films[:, t - 1].float().contiguous()
            x, logits = self.step(x, coarse, condition, film, keep)
        return logits


def plain(denoiser: Denoiser, shares: Sequence[float]) -> Callable[..., Tensor]:
    """The same sampler by the network itself."""
    times = [*timesteps(denoiser.steps, STEPS), 0]

    def refine(coarse: Tensor, condition: Tensor, films: Tensor) -> Tensor:
        x, logits = to_map(coarse), coarse
        for t, s in pairwise(times):
            logits = denoiser(x, coarse, condition, films[:, t - 1])
            x = step_down(x, to_map(logits), shares[s] / shares[t])
        return logits

    return refine


def denoiser_of(channels: int) -> tuple[Denoiser, list[float]]:
    """With random weights everywhere, and its schedule."""
    torch.manual_seed(channels)
    config = ModelConfig(refiner_channels=channels)
    made = Denoiser(config, 64).to(GPU).eval()
    with torch.no_grad():
        for tensor in made.last.parameters():
            tensor.normal_(0, 0.1)
    return made, noise_share(config)


def asked(channels: int, side: int, pictures: int) -> tuple[Tensor, Tensor, Tensor]:
    """Coarse logit, condition, FiLM tables."""
    coarse = 3 * torch.randn(pictures, 1, side, side, device=GPU)
    condition = torch.randn(pictures, channels, side, side, device=GPU)
    return coarse, condition, 0.3 * torch.randn(pictures, STEPS, 6 * channels, device=GPU)


@torch.no_grad()
def differences() -> list[str]:
    """Of one step's state from float64, the largest."""
    rows = ["| channels | side | pictures | largest difference of the state |", "|---|---|---|---|"]
    for channels in CHANNELS:
        denoiser, shares = denoiser_of(channels)
        fused = Fused(denoiser, shares)
        for side in SIDES:
            for pictures in (1, 8):
                coarse, condition, films = asked(channels, side, pictures)
                x, keep = to_map(coarse) * torch.rand_like(coarse), torch.tensor([0.7], device=GPU)
                last = condition.permute(0, 2, 3, 1).contiguous().half()
                found, _ = fused.step(x, coarse, last, films[:, 0].contiguous(), keep)
                wide = (v.double() for v in (x, coarse, condition, films[:, 0]))
                logit = denoiser.double()(*wide)
                denoiser.float()
                away = (found - step_down(x.double(), to_map(logit), 0.7)).abs().max().item()
                rows.append(f"| {channels} | {side} | {pictures} | {away:.1e} |")
    return rows


def replayed(rounds: int, call: Callable[..., Any], *given: Tensor) -> float:
    """Median milliseconds of a CUDA graph of the call, by events."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call(*given)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call(*given)
    times = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


@torch.no_grad()
def sections(rounds: int) -> list[str]:
    """Ten steps, by the network and fused, one after the other."""
    rows = [
        "| channels | side | pictures | network fp16, ms | fused, ms | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for channels in CHANNELS:
        denoiser, shares = denoiser_of(channels)
        fused = Fused(denoiser, shares)
        half = denoiser_of(channels)[0].half().to(memory_format=torch.channels_last)
        own = plain(half, shares)
        for side in (64, 96):
            for pictures in BATCHES:
                given = asked(channels, side, pictures)
                halves = [v.half() for v in given]
                halves[1] = halves[1].to(memory_format=torch.channels_last)
                theirs, ours = replayed(rounds, own, *halves), replayed(rounds, fused, *given)
                row = f"| {channels} | {side} | {pictures} | {theirs:.3f} | {ours:.3f} "
                rows.append(f"{row}| {theirs / ours:.2f} |")
    return rows


def model_of(name: str) -> PromptMAD:
    """A configuration at 224 px, its class constants worked out, on random weights."""
    torch.manual_seed(0)
    size = {"model": {"input_px": SIDE_PX, "context_px": 0}}
    config = ModelConfig.model_validate(over(config_named(name).model_dump(), size)["model"])
    backbone = Backbone(config.backbone, config.input_px)
    prompts = torch.randn(PRODUCTS, 2, config.text_dim)
    model = settled(PromptMAD(config.within(backbone.channels), backbone, prompts).eval())
    model.steps = STEPS
    unlearnt = (t for t in model.state_dict().values() if t.is_floating_point() and not t.any())
    for tensor in unlearnt:  # banks, and layers that begin as nothing: the map would be flat
        tensor.normal_(0, 0.1)
    return model.to(GPU, memory_format=torch.channels_last)


class Whole:
    """Picture → map and score, refined by the fused step."""

    def __init__(self, name: str) -> None:
        self.model = model_of(name)
        self._films = films_of(self.model)
        self._fused = Fused(self.model.denoiser, self.model.noise_share)
        self._product = torch.zeros(1, dtype=torch.long, device=GPU)
        self._plain = self.model.refine
        self._looks = {False: self.model.look, True: torch.compile(self.model.look, dynamic=False)}

    def __call__(
        self, image: Tensor, *, fused: bool = True, compiled: bool = False
    ) -> tuple[Tensor, Tensor]:
        product = self._product.expand(len(image))
        self.model.refine = self.refine if fused else self._plain  # type: ignore[method-assign]
        self.model.look = self._looks[compiled]  # type: ignore[method-assign]
        with torch.autocast("cuda", torch.float16):
            found: tuple[Tensor, Tensor] = self.model(image, product)
        return found

    def refine(self, c: Coarse, steps: int | None = None) -> Tensor:
        condition = self.model.denoiser.condition(c.logit, c.guide, c.lateral)
        return self._fused(c.logit, condition, self._films(self._product.expand(len(c.logit))))

    @cached_property
    def picture(self) -> Tensor:
        return torch.randint(0, 256, (1, SIDE_PX, SIDE_PX, 3), dtype=torch.uint8, device=GPU)


@torch.no_grad()
def throughput(rounds: int) -> list[str]:
    """Of whole models, and how far fusing moves their maps."""
    rows = [
        "| model | trunk | pictures | ms | pictures/s | compiled, ms | pictures/s | map moved by "
        "fusing, share of its range |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, trunk in MODELS.items():
        whole = Whole(name)
        ours, theirs = (whole(whole.picture, fused=fused)[0] for fused in (True, False))
        moved = ((ours - theirs).abs().max() / (theirs.max() - theirs.min())).item()
        for pictures in (1, 64):  # each is compiled by itself, which takes a minute
            images = whole.picture.repeat(pictures, 1, 1, 1)
            both = (whole, partial(whole, compiled=True))
            times = [replayed(rounds, call, images) for call in both]
            said = " | ".join(f"{ms:.3f} | {1e3 * pictures / ms:.0f}" for ms in times)
            rows.append(f"| {name} | {trunk} | {pictures} | {said} | {moved:.1e} |")
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=200)
    wanted = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no NVIDIA GPU here, or torch was built without CUDA.")
    made = {"command": shlex.join(sys.argv), **here("cuda"), "rounds": wanted.rounds}
    tables = {
        "The kernel against float64": differences,
        "Ten steps": lambda: sections(wanted.rounds),
        "The whole model": lambda: throughput(wanted.rounds),
    }
    wanted.out.mkdir(parents=True, exist_ok=True)
    lines = [f"- {name}: {said}" for name, said in made.items()]
    for title, table in tables.items():  # written as it comes: device time may run out
        lines += ["", f"## {title}", "", *table()]
        (wanted.out / "gpu.md").write_text("\n".join(lines) + "\n", "utf-8")
        print("\n".join(lines[-30:]), flush=True)
    (wanted.out / "gpu.json").write_text(json.dumps(made, indent=2), "utf-8")


if __name__ == "__main__":
    main()
