"""Whose results a PLC may be told where hardware triggers the camera, and nobody names the parts.

The PLC gives each result to the oldest of its parts that has none. So both sides have to begin
with no part, and go on with each part having one result, in order. A period is that: it begins
when INSPECTING rises, and ends when it falls, after which the PLC has rejected all that it fired
and nothing is told of them. INSPECTING stays low for a while: a PLC has to see it, and what was
fired before has to have come out of the camera.
"""

import math

from inspector.line.signals import Result


class Period:
    """Pure, on one thread; ``rest_s`` is the least time from one period to the next, and ``now`` is
    in the seconds of the moments in a result."""

    def __init__(self, rest_s: float) -> None:
        self._rest_s = rest_s
        self._since: float | None = None
        self._over_at = -math.inf
        self._must_end = False
        self._number = 0

    def look(self, now: float, *, well: bool) -> bool:
        """Whether there is one, now that the station inspects (``well``) or not."""
        if self._since is None:
            if well and now - self._over_at >= self._rest_s:
                self._since = now
        elif self._must_end or not well:
            self._since, self._over_at = None, now
            self._number += 1  # left out, so that a PLC which missed the end counts on to nothing
        self._must_end = False
        return self._since is not None

    def end(self) -> None:
        """Nobody can say any more which part comes next: begin anew."""
        self._must_end = True

    def number(self, result: Result) -> int | None:
        """What to tell it by, counted; None where no part of this period is meant.

        A part that nobody saw may be one of the period or not: then it ends.
        """
        if self._since is None or self._must_end or result.taken_until < self._since:
            return None
        if result.taken_from < self._since:
            self.end()
            return None
        self._number += 1
        return self._number
