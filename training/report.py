"""How long work tells how far it is. No torch here: evaluation reports, too, and needs none."""

from collections.abc import Callable
from typing import TypeAlias

Report: TypeAlias = Callable[[str, float, str], None]
"""(what is being done, share done in [0, 1], a short note such as the loss)."""
