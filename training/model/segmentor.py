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
    """Pre-norm: self-attention over places, cross-attention to words, MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend, self.read, self.mlp = (
            Attention(width, heads),
            Attention(width, heads),
            Mlp(width, 2 * width),
        )
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, z: Tensor, pos: Tensor, text: Tensor) -> Tensor:
        y = self.norm1(z)
        z = z + self.attend(y + pos, y + pos, y)
        z = z + self.read(self.norm2(z), text, text)
        return z + self.mlp(self.norm3(z))


class Segmentor(nn.Module):
    """Residual ``(B, 2D+2, h, w)`` and lateral ``(B, C4, 2h, 2w)`` → guide and coarse logit.

    The lateral's gate is opened by the residual, which keeps low-level features from marking what
    the memory knows to be normal, or by the lateral itself: a hairline is too thin for stride 8,
    and a gate that the residual alone may open stays shut on it (measured: thin scratches on a
    printed label, image AUROC 55).
    """

    def __init__(self, config: ModelConfig, lateral_channels: int) -> None:
        super().__init__()
        e, c, g = 2 * config.neck_dim + 2, config.segmentor_width, config.guide_channels
        side = config.input_px // 16
        self.enter = _conv(e, c)
        self.down = _conv(c, 2 * c, stride=2)
        self.pos = nn.Parameter(0.02 * torch.randn(1, side**2, 2 * c))
        self.words = nn.Linear(config.width, 2 * c)
        self.blocks = nn.ModuleList(
            TextBlock(2 * c, config.heads) for _ in range(config.segmentor_layers)
        )
        self.up8 = _conv(3 * c, c)
        self.gate8 = nn.Conv2d(e, g, 1)
        self.gate4 = nn.Conv2d(lateral_channels, g, 1)
        self.lateral = _conv(lateral_channels, g)
        self.up4 = _conv(c + g, g)
        self.guide = _conv(g, g)
        self.logit = rare(nn.Conv2d(g, 1, 1))

    def forward(self, residual: Tensor, lateral: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Guide ``(B, G, 2h, 2w)`` and coarse logit ``(B, 1, 2h, 2w)``."""
        z8 = self.enter(residual)
        z8 = self.up8(torch.cat([_double(self._read_words(self.down(z8), text)), z8], 1))
        opened = torch.sigmoid(_double(self.gate8(residual)) + self.gate4(lateral))
        f4 = opened * self.lateral(lateral)
        guide = self.guide(self.up4(torch.cat([_double(z8), f4], 1)))
        return guide, self.logit(guide)

    def _read_words(self, z: Tensor, text: Tensor) -> Tensor:
        width = z.shape[-1]
        tokens, words = z.flatten(2).transpose(1, 2), self.words(text)
        for block in self.blocks:
            tokens = block(tokens, self.pos, words)
        return tokens.transpose(1, 2).unflatten(2, (-1, width))


def rare(layer: nn.Conv2d) -> nn.Conv2d:
    """Defects are rare: a logit layer that starts from "none"."""
    assert layer.bias is not None
    nn.init.constant_(layer.bias, -3.0)
    return layer


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(GROUPS, outputs), nn.SiLU()
    )
