"""The text-guided segmentor: residuals in, a coarse defect map and a guide out (MODEL.md 2.2 c).

Convolutions at three strides round a transformer at stride 16 that also looks at the words.
Shapes: B batch, D token channels, T words, d text width, C4 trunk channels at stride 4.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import GROUPS, ModelConfig
from training.model.attention import Attention, Mlp


class TextBlock(nn.Module):
    """Pre-norm: self-attention over places, cross-attention to words if there are any, MLP."""

    def __init__(self, width: int, heads: int, *, reads: bool) -> None:
        super().__init__()
        self.attend, self.mlp = Attention(width, heads), Mlp(width, 2 * width)
        self.read = Attention(width, heads) if reads else None
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, z: Tensor, pos: Tensor, text: Tensor | None) -> Tensor:
        y = self.norm1(z)
        z = z + self.attend(y + pos, y + pos, y)
        if self.read is not None and text is not None:
            z = z + self.read(self.norm2(z), text, text)
        return z + self.mlp(self.norm3(z))


class AttendingWords(nn.Module):
    """The transformer at stride 16: every place sees every other, and the words."""

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__()
        places = (config.input_px // 16) ** 2
        self.pos = nn.Parameter(0.02 * torch.randn(1, places, width))
        self.words = nn.Linear(config.width, width) if config.text else None
        self.blocks = nn.ModuleList(
            TextBlock(width, config.heads, reads=config.text)
            for _ in range(config.segmentor_layers)
        )

    def forward(self, z: Tensor, text: Tensor | None) -> Tensor:
        """``(B, c, h, w)`` and words ``(B, T, d)`` → the same size."""
        side = z.shape[-1]
        tokens = z.flatten(2).transpose(1, 2)
        words = None if text is None or self.words is None else self.words(text)
        for block in self.blocks:
            tokens = block(tokens, self.pos, words)
        return tokens.transpose(1, 2).unflatten(2, (-1, side))


class Segmentor(nn.Module):
    """Residual ``(B, e, h, w)`` and lateral ``(B, C4, 2h, 2w)`` → guide and coarse logit.

    The lateral's gate is opened by the residual, which keeps low-level features from marking what
    the memory knows to be normal, or by the lateral itself: a hairline is too thin for stride 8,
    and a gate that the residual alone may open stays shut on it (measured: thin scratches on a
    printed label, image AUROC 55). The residual's many channels are mixed cell by cell before they
    are looked at over cells: a third of the cost, and better maps. Blocks, words and laterals can
    each be left out, for ablation.
    """

    def __init__(self, config: ModelConfig, lateral_channels: int) -> None:
        super().__init__()
        e, c, g = config.residual_channels, config.segmentor_width, config.guide_channels
        self.enter = nn.Sequential(*block(e, c, side=1), *block(c, c))
        self.down = block(c, 2 * c, stride=2)
        self.attend = AttendingWords(config, 2 * c) if config.segmentor_layers else None
        self.up8 = block(3 * c, c)
        self.fine = Lateral(e, lateral_channels, g) if config.laterals else None
        self.up4 = block(c + g if config.laterals else c, g)
        self.guide = block(g, g)
        self.logit = rare(nn.Conv2d(g, 1, 1))

    def forward(
        self, residual: Tensor, lateral: Tensor, text: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Guide ``(B, G, 2h, 2w)`` and coarse logit ``(B, 1, 2h, 2w)``."""
        z8 = self.enter(residual)
        z16 = self.down(z8)
        if self.attend is not None:
            z16 = self.attend(z16, text)
        z4 = double(self.up8(torch.cat([double(z16), z8], 1)))
        if self.fine is not None:
            z4 = torch.cat([z4, self.fine(residual, lateral)], 1)
        guide = self.guide(self.up4(z4))
        return guide, self.logit(guide)


class Lateral(nn.Module):
    """The trunk's features at stride 4 through their gate: ``(B, G, 2h, 2w)``."""

    def __init__(self, residual_channels: int, lateral_channels: int, g: int) -> None:
        super().__init__()
        self.gate8 = nn.Conv2d(residual_channels, g, 1)
        self.gate4 = nn.Conv2d(lateral_channels, g, 1)
        self.enter = block(lateral_channels, g)

    def forward(self, residual: Tensor, lateral: Tensor) -> Tensor:
        opened = torch.sigmoid(double(self.gate8(residual)) + self.gate4(lateral))
        return opened * self.enter(lateral)


def rare(layer: nn.Conv2d) -> nn.Conv2d:
    """Defects are rare: a logit layer that starts from "none"."""
    assert layer.bias is not None
    nn.init.constant_(layer.bias, -3.0)
    return layer


def double(x: Tensor) -> Tensor:
    """Twice the grid, bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def block(inputs: int, outputs: int, stride: int = 1, side: int = 3) -> nn.Sequential:
    """Convolution, group norm, SiLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2),
        nn.GroupNorm(GROUPS, outputs),
        nn.SiLU(),
    )
