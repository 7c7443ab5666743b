"""The one sentence for a runtime that this machine lacks."""

from engine.types import MissingError


def missing(package: str) -> MissingError:
    """Says what is missing and which command brings it."""
    return MissingError(f"{package} is not installed here: run 'pip install {package}'.")
