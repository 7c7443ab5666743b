"""Memory that stays as it is while a station runs.

Python's full collections come when a quarter of all objects is new. A station holds half a million
from its start and makes few that last, so none would come for hours: free lists fill, cycles lie
about, and memory creeps [measured: 1 to 1.5 MB an hour at 10 parts/s]. What is there at the start
is set aside; full collections are small then, and frequent.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled() -> Iterator[None]:
    """Enter it once all that a run needs is open."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
