"""What every test may rely on: Qt draws into memory, and its warnings fail the test.

Of several processes each takes one core: torch would have every one of them wait for all.
"""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
