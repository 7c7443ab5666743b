"""OneNIP's reconstruction: shared encoder, bidirectional decoder, read from the prompt stream.

OneNIP, ECCV 2024, from its description, with the decoder as mended there in November 2024: step
(3) adds attention, so that the picture's stream sees the prompt. PromptMAD adds the normal words
to the prompt and to the decoder's keys. Ours: where the prompt is the aligned answer of the bank,
what the prompt stream gives is added to that answer.
Shapes: B batch, D token channels on an h×w grid, N = h/2 · w/2 packed tokens, d width, T words.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import ModelConfig
from training.model.attention import Attention, Mlp


class EncoderLayer(nn.Module):
    """Post-norm self-attention; positions enter queries and keys only."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.attend, self.mlp = Attention(d, heads), Mlp(d, 4 * d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x: Tensor, pos: Tensor, allowed: Tensor) -> Tensor:
        x = self.norm1(x + self.attend(x + pos, x + pos, x, allowed))
        return self.norm2(x + self.mlp(x))


class DecoderLayer(nn.Module):
    """The prompt looks at the picture, then the picture at the prompt."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.p_to_x, self.x_to_p = Attention(d, heads), Attention(d, heads)
        self.mlp = Mlp(d, 4 * d)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d) for _ in range(3))

    def forward(
        self, p: Tensor, x: Tensor, pos: Tensor, text: Tensor | None, allowed: Tensor
    ) -> tuple[Tensor, Tensor]:
        keys, values, open_to_p = x + pos, x, allowed
        if text is not None:  # the words stand beside the picture, open to every place
            keys, values = torch.cat([keys, text], 1), torch.cat([values, text], 1)
            open_text = allowed.new_ones(len(allowed), text.shape[1])
            open_to_p = torch.cat([allowed, open_text], 1)
        p = self.norm1(p + self.p_to_x(p + pos, keys, values, open_to_p))
        p = self.norm2(p + self.mlp(p))
        x = self.norm3(x + self.x_to_p(x + pos, p + pos, p, allowed))
        return p, x


class FromText(nn.Module):
    """What the words add to the prompt, through a gate that starts shut."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.attend = Attention(d, heads)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, p: Tensor, text: Tensor) -> Tensor:
        return self.gate * self.attend(p, text, text)


class Reconstructor(nn.Module):
    """Tokens of a picture, its prompt and the normal words → tokens of the picture unspoilt."""

    allowed: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        side, d = config.input_px // 16, config.width
        self.proj_in = nn.Linear(4 * config.neck_dim, d)
        self.proj_out = nn.Linear(d, 4 * config.neck_dim)
        self.pos_row = nn.Parameter(0.02 * torch.randn(side, 1, d // 2))
        self.pos_col = nn.Parameter(0.02 * torch.randn(1, side, d // 2))
        self.text_to_prompt = FromText(d, config.heads) if config.fused else None
        self.encoder = nn.ModuleList(
            EncoderLayer(d, config.heads) for _ in range(config.encoder_layers)
        )
        self.decoder = nn.ModuleList(
            DecoderLayer(d, config.heads) for _ in range(config.decoder_layers)
        )
        self.final, self.norm = Attention(d, config.heads), nn.LayerNorm(d)
        self.register_buffer(
            "allowed", ~_neighbours(side, config.neighbour_window), persistent=False
        )
        self.corrects = config.prompt == "bank"
        if self.corrects:  # a correction of nothing, at first
            nn.init.zeros_(self.proj_out.weight)
            nn.init.zeros_(self.proj_out.bias)

    def forward(
        self,
        query: Tensor,
        prompt: Tensor,
        text_normal: Tensor | None,
        encoded: Tensor | None = None,
    ) -> Tensor:
        """``(B, D, h, w), (B, D, h, w), (B, T, d) or None → (B, D, h, w)``.

        ``encoded`` is what :meth:`encoded` says of the prompt, where that is known.
        """
        pos = self._positions()
        x, p = self._encode(query, pos), encoded
        if p is None:
            p = self.encoded(prompt, text_normal)
        for layer in self.decoder:
            p, x = layer(p, x, pos, text_normal, self.allowed)
        p = self.norm(p + self.final(p + pos, x + pos, x))
        rebuilt = unpack(self.proj_out(p), query.shape[-1] // 2)
        return prompt + rebuilt if self.corrects else rebuilt

    def encoded(self, prompt: Tensor, text_normal: Tensor | None) -> Tensor:
        """The prompt's tokens with the normal words in them: ``(B, N, d)``."""
        p = self._encode(prompt, self._positions())
        if self.text_to_prompt is not None and text_normal is not None:
            p = p + self.text_to_prompt(p, text_normal)
        return p

    def _encode(self, tokens: Tensor, pos: Tensor) -> Tensor:
        x = self.proj_in(pack(tokens))
        for layer in self.encoder:
            x = layer(x, pos, self.allowed)
        return x

    def _positions(self) -> Tensor:
        rows, cols = len(self.pos_row), self.pos_col.shape[1]
        grid = [self.pos_row.expand(-1, cols, -1), self.pos_col.expand(rows, -1, -1)]
        return torch.cat(grid, 2).flatten(0, 1)[None]


def pack(tokens: Tensor) -> Tensor:
    """2×2 cells of stride 8 into one token of stride 16: ``(B, D, h, w) → (B, N, 4D)``."""
    return F.pixel_unshuffle(tokens, 2).flatten(2).transpose(1, 2)


def unpack(tokens: Tensor, width: int) -> Tensor:
    """The way back from :func:`pack`; ``width`` is w/2."""
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (-1, width)), 2)


def _neighbours(side: int, window: int) -> Tensor:
    """``(N, N)`` true where two cells are within one window: attention must not copy from there."""
    at = torch.arange(side)
    near = (at[:, None] - at[None]).abs() <= window // 2
    return (near[:, None, :, None] & near[None, :, None, :]).reshape(side**2, side**2)
