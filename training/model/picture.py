"""The visual prompt as OneNIP has it: one good picture a product, laid beside every query as it is.

Shapes: B batch, P products, D channels, E detail channels, h w grid at stride 8.
"""

import torch
from torch import Tensor, nn

from training.model.bank import Answer


class Picture(nn.Module):
    """Tokens ``(P, D, h, w)`` and details ``(P, E, 2h, 2w)`` of each product's prompt picture."""

    tokens: Tensor
    details: Tensor

    def __init__(self, products: int, side: int, dim: int, detail_dim: int) -> None:
        super().__init__()
        half = torch.half
        self.register_buffer("tokens", torch.zeros(products, dim, side, side, dtype=half))
        self.register_buffer(
            "details", torch.zeros(products, detail_dim, 2 * side, 2 * side, dtype=half)
        )

    def forward(self, query: Tensor, product: Tensor, leave_out: Tensor | None = None) -> Answer:
        """The same picture for every query ``(B, D, h, w)``; none is ever left out.

        It lies nowhere as the query does, so that it finds nothing far away, and nothing strange.
        """
        tokens, details = self.tokens[product].float(), self.details[product].float()
        none = torch.zeros_like(query[:, :1])
        return Answer(tokens, details, away=none, strange=none)


def medoid(tokens: Tensor) -> int:
    """The index of the picture nearest to all others, of ``tokens (N, D, h, w)``.

    OneNIP draws another prompt for each picture, in test too; the medoid makes it one, and the
    most usual one. Pictures are compared place by place, coarsely: parts never lie quite alike.
    """
    rows = nn.functional.adaptive_avg_pool2d(tokens, max(1, tokens.shape[-1] // 4)).flatten(1)
    return int(torch.cdist(rows, rows).sum(1).argmin())
