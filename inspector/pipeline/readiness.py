"""What has to hold before a station is Ready, item by item.

Only a check that was made and passed counts: what nobody has looked at is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Precondition(StrEnum):
    """What a check is about."""

    CAMERA = "camera"
    PLAN = "plan"
    RECIPE = "recipe"
    CALIBRATION = "calibration"
    DISK = "disk"
    DATABASE = "database"
    GOLDEN_CHECK = "golden check"
    LINE = "line"


REQUIRED: Final = (
    Precondition.CAMERA,
    Precondition.PLAN,
    Precondition.RECIPE,
    Precondition.CALIBRATION,
    Precondition.DISK,
    Precondition.DATABASE,
)
"""What every station needs. Any other check counts where a station has it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One precondition as it was last seen: whether it holds, and one sentence that says so."""

    name: Precondition
    passed: bool
    sentence: str


def missing(
    checks: Iterable[Check], required: Iterable[Precondition] = REQUIRED
) -> tuple[Check, ...]:
    """What keeps the station from Ready, in the order of :class:`Precondition`.

    Every check that did not pass, and one that says so for each ``required`` one not made. Of
    several checks of one name each has to pass.
    """
    made = tuple(checks)
    seen = {check.name for check in made}
    unseen = (Check(n, False, f"The {n} was not checked yet.") for n in required if n not in seen)
    failed = [check for check in made if not check.passed]
    order = list(Precondition)
    return tuple(sorted([*failed, *unseen], key=lambda check: order.index(check.name)))
