"""Multi-head attention and the blocks made of it. Shapes: B batch, N queries, M keys, d width."""

from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Cross-attention ``(B, N, d), (B, M, d), (B, M, d) → (B, N, d)``; positions are the caller's.

    ``mask (N, M)`` is true where a query may look.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (self._split(f(x)) for f, x in ((self.to_q, q), (self.to_k, k), (self.to_v, v)))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Mlp(nn.Sequential):
    """Two linear layers with a non-linearity between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
