"""The visual prompt as a bank: per product, a coreset of normal tokens.

OneNIP's one prompt picture is the case of a bank that holds one picture. For each token of the
query its nearest normal token is looked up: an aligned prompt picture, and how far it is.
Shapes: B batch, P products, K tokens a product, D channels, E detail channels, h w grid.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SKETCH = 48  # dimensions
FEW = 32  # one token in so many is looked at between two looks at all
AT_ONCE = 16_384  # tokens: what they are apart from all centres has to fit in memory


class Answer(NamedTuple):
    """A prompt picture aligned to the query: what a normal part would show there."""

    tokens: Tensor  # (B, D, h, w)
    details: Tensor  # (B, E, 2h, 2w)
    away: Tensor  # (B, 1, h, w) how far it was fetched from, in cells times the product's pull
    strange: Tensor  # (B, 1, h, w) how unlike it the query is, in look and in place, per channel


class Nearest(NamedTuple):
    """Of each query token the nearest normal one."""

    row: Tensor  # (B, h·w, 1) of the product's tokens
    tokens: Tensor  # (B, D, h, w)
    away: Tensor  # (B, 1, h, w) as in an answer
    strange: Tensor  # (B, 1, h, w) as in an answer


class Tokens(nn.Module):
    """Normal tokens ``(P, K, D)``, where in the picture each lay ``(P, K, 2)`` and which picture
    that was ``(P, K)``.

    ``pull (P,)`` is how much place counts. In a fixture a hole belongs where it was: its token
    from elsewhere is no answer, or a missing hole would be found normal. Cloth has no such places.
    """

    tokens: Tensor
    place: Tensor
    owner: Tensor
    pull: Tensor

    def __init__(self, products: int, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("tokens", torch.zeros(products, size, dim, dtype=torch.half))
        self.register_buffer("place", torch.zeros(products, size, 2))
        self.register_buffer("owner", torch.full((products, size), -1, dtype=torch.long))
        self.register_buffer("pull", torch.zeros(products))

    def nearest(self, query: Tensor, product: Tensor, leave_out: Tensor | None = None) -> Nearest:
        """The nearest normal token of each query token ``(B, D, h, w)``.

        ``leave_out (B,)`` names training pictures whose own tokens must not answer, or a model
        trained on these residuals would learn from zeros.
        """
        h, w = query.shape[-2:]
        q, bank = query.flatten(2).transpose(1, 2), self.tokens[product].float()
        pull = self.pull[product][:, None, None]
        here, there = cells(h, w, q.device).to(q), self.place[product]
        own = None if leave_out is None else self.owner[product] == leave_out[:, None]
        row, column = (
            (pull * _apart(centred(n, q.device), there[..., i])).square()
            for i, n in enumerate((h, w))
        )
        d2 = _likeness(q, bank, own).unflatten(1, (h, w))
        d2 += row[:, :, None]  # in place: a second table would cost more than what is added
        d2 += column[:, None]
        nearest = d2.flatten(1, 2).argmin(2, keepdim=True)
        moved = pull[..., None] * (_picked(there, nearest, h) - here.T.unflatten(1, (h, w)))
        tokens, away = _picked(bank, nearest, h), length(moved)
        strange = length(torch.cat([length(query - tokens), away], 1)) / query.shape[1] ** 0.5
        return Nearest(nearest, tokens, away, strange)


class Bank(Tokens):
    """The prompt: normal tokens and, of each, the finer details of its cell ``(P, K, 4E)``."""

    details: Tensor

    def __init__(self, products: int, size: int, dim: int, detail_dim: int) -> None:
        super().__init__(products, size, dim)
        details = torch.zeros(products, size, 4 * detail_dim, dtype=torch.half)
        self.register_buffer("details", details)

    def forward(self, query: Tensor, product: Tensor, leave_out: Tensor | None = None) -> Answer:
        """What :meth:`nearest` finds, and its details."""
        found = self.nearest(query, product, leave_out)
        details = _picked(self.details[product].float(), found.row, query.shape[2])
        return Answer(found.tokens, F.pixel_shuffle(details, 2), found.away, found.strange)


def cells(h: int, w: int, device: torch.device | None = None) -> Tensor:
    """Row and column of each cell, from the middle of the grid: ``(h·w, 2)``. Made where they are
    used: a CUDA graph does not record a copy from the CPU."""
    return torch.cartesian_prod(centred(h, device), centred(w, device))


def centred(count: int, device: torch.device | None = None) -> Tensor:
    """Where so many cells in a row lie, from their middle: ``(count,)``."""
    return torch.arange(count, device=device) - (count - 1) / 2


def _apart(places: Tensor, there: Tensor) -> Tensor:
    """``(B, n, K)``, cells, of ``(n,)`` and ``(B, K)``: differences of half numbers, exact in any
    precision. Rows and columns by themselves: a table of all places would be as large as the
    likeness, and what lies far away would drown what lies near.
    """
    return places.to(there)[:, None] - there[:, None]


def _picked(rows: Tensor, nearest: Tensor, height: int) -> Tensor:
    """Rows ``(B, K, C)`` by index ``(B, h·w, 1)``: ``(B, C, h, w)``."""
    found = torch.gather(rows, 1, nearest.expand(-1, -1, rows.shape[2]))
    return found.transpose(1, 2).unflatten(2, (height, -1))


def length(vectors: Tensor) -> Tensor:
    """Over channels, ``(B, 1, h, w)``; its slope is finite also at zero."""
    return (vectors.square().sum(1, keepdim=True) + 1e-6).sqrt()


def _likeness(q: Tensor, bank: Tensor, out: Tensor | None) -> Tensor:
    """``(B, N, K)``, |b|² - 2 q·b: orders like |q - b|². Those that are ``out (B, K)`` are as far
    as can be. From the middle of the product's tokens, since what two large numbers differ by is
    lost in bf16. One matrix product with a row added to it: every pass over N times K numbers
    takes a third of the product's time.
    """
    middle = bank.mean(1, keepdim=True)
    q, bank = q - middle, bank - middle
    size = bank.square().sum(2)
    if out is not None:
        size = size.masked_fill(out, torch.inf)
    return torch.baddbmm(size[:, None], -2 * q, bank.transpose(1, 2))


def coreset(tokens: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Indices ``(size,)`` of a greedy k-centre coreset of ``tokens (N, D)``.

    Farthest-point selection, Gonzalez (1985), as PatchCore uses it, and as there in a random
    projection of :data:`SKETCH` dimensions (Johnson & Lindenstrauss 1984). All its time would go
    into reading the tokens once for each that is chosen; but a token's distance only ever falls, so
    as long as one of the few that were farthest is farther than all others were, it is the next.
    With fewer tokens than ``size`` the selection wraps round.
    """
    count, device = len(tokens), tokens.device
    if count <= size:
        return torch.arange(size, device=device) % count
    chosen = torch.empty(size, dtype=torch.long, device=device)
    chosen[0] = torch.randint(count, (), generator=generator)
    places, away = _sketch(tokens, generator), torch.full((count,), torch.inf, device=device)
    done, known = 1, 0
    while done < size:  # everyone hears of those chosen since, and the farthest are looked at
        away = torch.minimum(away, _to_nearest(places, places[chosen[known:done]]))
        known = done
        found = away.topk(max(1, count // FEW) + 1)
        few, their = found.indices[:-1], found.values[:-1]
        seen, others = places[few], found.values[-1]
        squared = seen.square().sum(1)
        farthest = their.argmax()
        while done < size and (done == known or their[farthest] > others):
            chosen[done] = few[farthest]
            last = seen[farthest]
            torch.minimum(their, squared - 2 * (seen @ last) + last.square().sum(), out=their)
            farthest, done = their.argmax(), done + 1
    return chosen


def _to_nearest(places: Tensor, centres: Tensor) -> Tensor:
    """Of each place ``(N, D)`` the squared distance to the nearest centre ``(M, D)``: ``(N,)``."""
    size = centres.square().sum(1)
    nearest = [
        torch.addmm(size, some, centres.T, alpha=-2).amin(1) + some.square().sum(1)
        for some in places.split(AT_ONCE)
    ]
    return torch.cat(nearest)


def _sketch(tokens: Tensor, generator: torch.Generator) -> Tensor:
    """The tokens round their middle, in few dimensions where they have many."""
    tokens = tokens - tokens.mean(0)
    if tokens.shape[1] <= SKETCH:
        return tokens
    axes = torch.randn(tokens.shape[1], SKETCH, generator=generator).to(tokens)
    return tokens @ axes / SKETCH**0.5
