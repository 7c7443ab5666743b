"""The demo as a factory for ``screenshot.py``: ``demo_session:opened``.

xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/screenshot.py demo_session:opened OUT.png
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inspector.db.errors import explained
from inspector.db.history import History
from inspector.db.log import writing
from inspector.demo.assets import cached_plan
from inspector.demo.cli import settings_for
from inspector.station import StationSession


@contextmanager
def opened() -> Iterator[tuple[StationSession, History, Path]]:
    """A demo line of its own, its database in a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        plan = cached_plan("openvino", "f32", print)
        session = StationSession(settings_for(plan, Path(folder), parts=200, seed=7, fps=4))
        with explained(session.database), writing(session.database):
            pass
        with History(session.database) as history:
            yield session, history, Path(folder)
