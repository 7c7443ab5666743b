"""The one sentence for a package that this machine lacks, or cannot load."""

from collections.abc import Mapping

from engine.types import MissingError

BRINGS: Mapping[str, str] = {
    "tensorrt": '"promptmad-inspector[tensorrt]"',
    "pycuda": '"promptmad-inspector[tensorrt]"',
}
"""What to install where the package alone would not do: the two need each other, and a lock."""


def missing(package: str, error: ImportError | OSError) -> MissingError:
    """Says what is missing and which command brings it, or why what is installed does not load."""
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        brings = BRINGS.get(package, package)
        return MissingError(f"{package} is not installed here: run 'pip install {brings}'.")
    return MissingError(f"{package} is here but does not load: {error}; install what it asks for.")
