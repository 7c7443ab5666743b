"""The outline: what the picture itself adds to the map, at stride 2.

Tokens of stride 8 and features of stride 4 know what is wrong; a defect one cell small is marked
three cells wide by them. This head lays the segmentor's guide over the picture's own pixels. What
it adds does not depend on the refined logit, so that the trunk's graph can work it out once.
Shapes: B batch, G guide channels, s side at stride 4.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import ModelConfig
from training.model.segmentor import block, double

PIXELS = 4  # of a stride-2 cell
FLAT = 0.05  # of the grey range: below this deviation a picture is not stretched further


class Outline(nn.Module):
    """Guide ``(B, G, s, s)`` and :func:`pixels` → what is added to the logit, at ``(2s, 2s)``.

    Starts from nothing, so that the map begins as the segmentor's. The guide is narrowed before it
    is doubled, and the pixels, which :func:`pixels` has scaled, are not scaled again: at stride 2
    every pass over the channels is a tenth of a training step.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        h = config.outline_channels
        self.narrow = nn.Conv2d(config.guide_channels, h, 1)
        self.look = nn.Sequential(nn.Conv2d(PIXELS, h, 3, padding=1), nn.SiLU())
        self.mix = block(2 * h, h)
        self.add = nn.Conv2d(h, 1, 1)
        nn.init.zeros_(self.add.weight)
        assert self.add.bias is not None
        nn.init.zeros_(self.add.bias)

    def forward(self, guide: Tensor, picture: Tensor) -> Tensor:
        guided = double(self.narrow(guide))
        return self.add(self.mix(torch.cat([guided, self.look(picture)], 1)))


def pixels(image: Tensor) -> Tensor:
    """uint8 ``(B, H, W, 3)`` → grey on the picture's own scale, four pixels a cell:
    ``(B, 4, H/2, W/2)``."""
    grey = image.permute(0, 3, 1, 2).float().mean(1, keepdim=True) / 255
    middle = grey.mean((2, 3), keepdim=True)
    spread = (grey - middle).square().mean((2, 3), keepdim=True).sqrt()
    return F.pixel_unshuffle((grey - middle) / (spread + FLAT), 2)


def outlined(logit: Tensor, outline: Tensor | None) -> Tensor:
    """The logit ``(B, 1, s, s)`` with its outline ``(B, 1, 2s, 2s)``; as it is without one."""
    return logit if outline is None else double(logit) + outline
