"""The frozen trunk: a timm model read at strides 4, 8 and 16, and the neck that makes tokens.

A convolutional trunk has these strides. A ViT has one, its patch: it is read at a third, two thirds
and all of its depth, on a picture brought to as many patches as there are cells at stride 16, and
its features are interpolated to the three grids.

Shapes: B batch, H W side of the picture, C4 C8 C16 channels of the trunk at those strides,
D ``neck_dim``.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers.format import Format
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models import FeatureInfo
from torch import Tensor, nn
from torch.nn import functional as F

from engine.types import InputError, MissingError
from training.config import BackboneConfig

STRIDES = (4, 8, 16)
FLOOR = 0.01  # of the mean noise, added in every direction


class Backbone(nn.Module):
    """uint8 RGB ``(B, H, W, 3)``, on any device, → features at strides 4, 8, 16.

    Never trained with a product.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: BackboneConfig, input_px: int = 256) -> None:
        super().__init__()
        self.net, self.patch = _trunk(config.name, input_px)
        self.channels: list[int] = _info(self.net).channels()
        self.register_buffer("mean", 255 * torch.tensor(config.mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(config.std).view(1, 3, 1, 1))

    def forward(self, image: Tensor, side: int | None = None) -> list[Tensor]:
        """``side``: of the picture that is looked at, if not its own."""
        x = image.to(self.mean.device).permute(0, 3, 1, 2).float()
        x = (x - self.mean) / self.std
        if side is not None:
            x = _resized(x, side)
        if self.patch is None:
            return self.net(x)
        side = x.shape[-1]
        levels = self.net(_resized(x, side // STRIDES[-1] * self.patch))
        return [_resized(f, side // s) for f, s in zip(levels, STRIDES, strict=True)]


class Axes(nn.Module):
    """Directions of features, fitted once and then constant: what damage moves, in units of what
    good parts differ by, or what varies most. They make the bank cheaper to hold and to search.
    """

    weight: Tensor
    offset: Tensor

    def __init__(self, in_channels: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(dim, in_channels))
        self.register_buffer("offset", torch.zeros(in_channels))

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w) → (B, dim, h, w)``."""
        bias = -(self.weight @ self.offset)
        return F.conv2d(features, self.weight[..., None, None], bias)

    def fit(self, rows: Tensor, signal: Tensor, noise: Tensor) -> None:
        """The axes along which ``signal (M, C)`` is largest against ``noise (K, C)``.

        Fisher's discriminant: ``max vᵀSv / vᵀNv``, scaled to ``vᵀNv = 1``; the mean of ``rows
        (N, C)`` becomes zero. A little is added to the noise in every direction, for where there
        is none good parts have just not been seen to differ.
        """
        S, N = (x.T.double() @ x.double() / len(x) for x in (signal, noise))
        floor = (FLOOR * N.diagonal().mean()).clamp(min=1e-12) * torch.eye(len(N)).to(N)
        whiten = torch.linalg.inv(torch.linalg.cholesky(N + floor))
        _, vectors = torch.linalg.eigh(whiten @ S @ whiten.T)
        self.weight.copy_(vectors[:, -self.weight.shape[0] :].T @ whiten)
        self.offset.copy_(rows.mean(0))

    def fit_spread(self, rows: Tensor) -> None:
        """The principal axes of ``rows (N, C)``, scaled alike to a mean variance of 1."""
        self.offset.copy_(rows.mean(0))
        centred = (rows - self.offset).double()
        spread, vectors = torch.linalg.eigh(centred.T @ centred / len(rows))
        kept = slice(-self.weight.shape[0], None)
        size = spread[kept].mean().clamp(min=1e-12).sqrt()
        self.weight.copy_(vectors[:, kept].T / size)


class Neck(nn.Module):
    """Features → tokens ``(B, D, H/8, W/8)``: neighbourhood mean, concatenation, axes.

    The mean over ``around`` × ``around`` cells is PatchCore's (Roth et al., CVPR 2022); 1 is none.
    """

    def __init__(self, in_channels: int, dim: int, around: int = 3) -> None:
        super().__init__()
        self.around = around
        self.axes = Axes(in_channels, dim)

    def concatenate(self, f8: Tensor, f16: Tensor) -> Tensor:
        """``(B, C8 + C16, H/8, W/8)``."""
        if self.around > 1:
            f8, f16 = (F.avg_pool2d(f, self.around, 1, self.around // 2) for f in (f8, f16))
        up = F.interpolate(f16, size=f8.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([f8, up], 1)

    def forward(self, f8: Tensor, f16: Tensor) -> Tensor:
        tokens: Tensor = self.axes(self.concatenate(f8, f16))
        return tokens


def load_backbone(config: BackboneConfig, weights: Path | None, input_px: int = 256) -> Backbone:
    """The trunk with weights from a safetensors file, or from the hub when none is given.

    :class:`InputError` where the file does not fit, :class:`MissingError` where the hub is out
    of reach: never random weights in silence.
    """
    backbone = Backbone(config, input_px)
    net = backbone.net if backbone.patch is None else backbone.net.model
    state = _from_hub(config.name) if weights is None else _from_file(weights)
    state = _fitted(state, net)
    missing = [k for k in net.state_dict() if k not in state and not _optional(k)]
    if missing:
        raise InputError(
            f"{weights or 'The download'} does not fit the backbone {config.name}: "
            f"{len(missing)} tensors are missing, the first is {missing[0]}."
        )
    try:
        net.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise InputError(f"{weights} does not fit the backbone {config.name}: {error}") from error
    return backbone.eval().requires_grad_(requires_grad=False)


def backbone_named(name: str) -> BackboneConfig:
    """The configuration of a timm trunk; :class:`InputError` where timm has none of that name."""
    if not timm.is_model(name):
        near = ", ".join(get_close_matches(name, timm.list_models(), 3)) or "timm.list_models()"
        raise InputError(f"timm has no model {name!r}: see {near}.")
    known = timm.get_pretrained_cfg(name)
    if known is None:
        return BackboneConfig(name=name)
    return BackboneConfig.model_validate({"name": name, "mean": known.mean, "std": known.std})


def _trunk(name: str, input_px: int) -> tuple[Any, int | None]:
    """The net that gives three levels, and the side of its patches if it is a ViT."""
    probe: Any = timm.create_model(name, features_only=True)
    reductions = _info(probe).reduction()
    if all(stride in reductions for stride in STRIDES) and _channels_first(probe):
        levels = tuple(reductions.index(stride) for stride in STRIDES)
        return timm.create_model(name, features_only=True, out_indices=levels), None
    patch = reductions[-1]
    if set(reductions) != {patch} or not hasattr(probe.model, "pos_embed"):
        raise InputError(
            f"{name} is no trunk for this: choose one with strides {STRIDES}, or a ViT."
        )
    depth = len(probe.model.blocks)
    side = input_px // STRIDES[-1] * patch
    levels = tuple(depth * (i + 1) // 3 - 1 for i in range(3))
    return timm.create_model(name, features_only=True, out_indices=levels, img_size=side), patch


def _channels_first(net: Any) -> bool:
    return getattr(net, "output_fmt", Format.NCHW) == Format.NCHW


def _resized(x: Tensor, side: int) -> Tensor:
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


def _fitted(state: dict[str, Tensor], net: Any) -> dict[str, Tensor]:
    """A ViT's position embeddings brought to this picture's grid, as timm does."""
    key = "pos_embed"
    if not hasattr(net, key) or key not in state or state[key].shape == net.pos_embed.shape:
        return state
    grid, extra = list(net.patch_embed.grid_size), net.num_prefix_tokens
    return state | {key: resample_abs_pos_embed(state[key], new_size=grid, num_prefix_tokens=extra)}


def _info(net: nn.Module) -> FeatureInfo:
    info = net.feature_info
    assert isinstance(info, FeatureInfo)
    return info


def _optional(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _from_file(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"There are no backbone weights at {path}.") from None
    except SafetensorError as error:
        raise InputError(f"{path} is not a whole safetensors file: {error}.") from error


def _hub_state(name: str) -> dict[str, Tensor]:
    state: dict[str, Tensor] = timm.create_model(name, pretrained=True).state_dict()
    return state


def _from_hub(name: str) -> dict[str, Tensor]:
    try:
        return _hub_state(name)
    except (OSError, RuntimeError) as error:
        raise MissingError(
            f"The weights of {name} cannot be downloaded here ({type(error).__name__}): give a "
            "file with --backbone-weights, or make one with 'inspector pretrain'."
        ) from error
