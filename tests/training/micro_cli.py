"""The command line with the micro configuration in it, for processes of their own: one product,
a bundle without an export."""

import pytest

from inspector.cli import main
from tests.training.micro import CONFIG
from tests.training.quick import quick_export
from training import fit
from training.config import CONFIGS

if __name__ == "__main__":
    CONFIGS["micro"] = CONFIG
    fit.LOG_EVERY = 1
    quick_export(pytest.MonkeyPatch(), products=1)
    main()
