"""What every test may rely on: Qt draws into memory, and its warnings fail the test."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
