"""The command line with the micro configuration in it, for processes of their own."""

from inspector.cli import main
from tests.training.micro import CONFIG
from training import fit
from training.config import CONFIGS

if __name__ == "__main__":
    CONFIGS["micro"] = CONFIG
    fit.LOG_EVERY = 1
    main()
