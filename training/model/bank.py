"""The visual prompt as a bank: per product, a coreset of normal tokens.

OneNIP's one prompt picture is the case of a bank that holds one picture. For each token of the
query its nearest normal token is looked up: an aligned prompt picture, and how far it is.
Shapes: B batch, P products, K tokens a product, D channels, h w grid.
"""

import torch
from torch import Tensor, nn


class Bank(nn.Module):
    """Normal tokens ``(P, K, D)``, half precision, and the picture each came from ``(P, K)``."""

    tokens: Tensor
    owner: Tensor

    def __init__(self, products: int, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("tokens", torch.zeros(products, size, dim, dtype=torch.half))
        self.register_buffer("owner", torch.full((products, size), -1, dtype=torch.long))

    def forward(self, query: Tensor, product: Tensor, leave_out: Tensor | None = None) -> Tensor:
        """The nearest normal token of each query token, ``(B, D, h, w)``.

        ``leave_out (B,)`` names training pictures whose own tokens must not answer, or a model
        trained on these residuals would learn from zeros.
        """
        B, D, h, w = query.shape
        q = query.flatten(2).transpose(1, 2)
        bank = self.tokens[product].float()
        d2 = _squared_distances(q, bank)
        if leave_out is not None:
            own = self.owner[product] == leave_out[:, None]
            d2 = d2.masked_fill(own[:, None], torch.inf)
        nearest = d2.argmin(2, keepdim=True)
        n = torch.gather(bank, 1, nearest.expand(-1, -1, D))
        return n.transpose(1, 2).reshape(B, D, h, w)


def distance(query: Tensor, prompt: Tensor) -> Tensor:
    """Root mean square over channels, ``(B, 1, h, w)``; its slope is finite also at zero."""
    return ((query - prompt).square().mean(1, keepdim=True) + 1e-8).sqrt()


def _squared_distances(q: Tensor, bank: Tensor) -> Tensor:
    """``(B, N, K)`` up to a constant per query: |b|² - 2 q·b orders like |q - b|²."""
    return bank.square().sum(2)[:, None] - 2 * q @ bank.transpose(1, 2)


def coreset(tokens: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Indices ``(size,)`` of a greedy k-centre coreset of ``tokens (N, D)``.

    Farthest-point selection, Gonzalez (1985), as PatchCore uses it. With fewer tokens than
    ``size`` the selection wraps round.
    """
    count = len(tokens)
    if count <= size:
        return torch.arange(size) % count
    chosen = torch.empty(size, dtype=torch.long)
    chosen[0] = torch.randint(count, (1,), generator=generator)
    farthest = torch.full((count,), torch.inf)
    for i in range(1, size):
        d2 = (tokens - tokens[chosen[i - 1]]).square().sum(1)
        farthest = torch.minimum(farthest, d2)
        chosen[i] = farthest.argmax()
    return chosen
