"""Good parts among themselves: tokens that look for one another across pictures."""

from functools import cached_property

import torch
from torch import Tensor

PULLS = (0.0, 0.2, 0.4, 0.8, 1.6)  # a cell away counts for so much of the usual strangeness
BORNE = 1.1  # what a pull may add to the squared distance between good parts
ASKING, REMEMBERED = 2000, 16000


class Neighbours:
    """Of ``tokens (N, D)`` at ``place (N, 2)`` on pictures ``owner (N,)``, some ask and others
    answer; a picture's own tokens never answer it. ``asking`` and ``memory`` are their indices.
    """

    def __init__(
        self, tokens: Tensor, place: Tensor, owner: Tensor, generator: torch.Generator
    ) -> None:
        order = torch.randperm(len(tokens), generator=generator).to(tokens.device)
        count = min(ASKING, len(tokens) // 4)
        self.asking, self.memory = order[:count], order[count : count + REMEMBERED]
        own = owner[self.asking][:, None] == owner[self.memory]
        squared = torch.cdist(tokens[self.asking], tokens[self.memory]).square()
        self._alike = squared.masked_fill(own, torch.inf)
        self._away = torch.cdist(place[self.asking], place[self.memory]).square()

    def nearest(self, pull: float) -> Tensor:
        """Who answers each that asks, as indices into the tokens."""
        return self.memory[self._nearest(pull)]

    @cached_property
    def pull(self) -> float:
        """How much place may count: the most of :data:`PULLS` that good parts bear.

        Where parts lie alike, a token finds its like near its own place, so that a pull towards
        it costs no likeness; cloth's likes lie anywhere, and a pull makes them strangers.
        """
        free = self._strangeness(0.0)
        pulls = [share * free**0.5 for share in PULLS]
        return max(pull for pull in pulls if self._strangeness(pull) <= BORNE * free)

    def _strangeness(self, pull: float) -> float:
        return float(self._alike.gather(1, self._nearest(pull)[:, None]).mean())

    def _nearest(self, pull: float) -> Tensor:
        return (self._alike + pull**2 * self._away).argmin(1)
