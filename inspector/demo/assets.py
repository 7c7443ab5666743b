"""What the demo ships: a bundle trained by this project and the recipe measured with it."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from engine.build import build
from engine.bundle import read_bundle
from engine.manifest import Precision, RuntimeName
from engine.plan import read_plan
from engine.runtimes.choice import backend
from engine.types import BundleError, InputError

HERE = Path(__file__).parent
BUNDLE = HERE / "bundle"
RECIPE = HERE / "recipe.json"


def cached_plan(runtime: RuntimeName, precision: Precision, say: Callable[[str], None]) -> Path:
    """The demo's plan for this machine, built once and kept in the user's cache.

    Its folder is named by what it depends on: bundle, runtime, version and precision. A damaged
    one is built anew; :class:`InputError` where the cache cannot be written.
    """
    bundle = read_bundle(BUNDLE)
    made_with = f"{runtime}-{backend(runtime).version()}-{precision}"
    name = re.sub(r"[^\w.-]", "_", f"{bundle.sha256[:16]}-{made_with}")
    folder = user_cache_path("promptmad-inspector") / "plans" / name
    if not _is_whole(folder):
        say(f"Building the plan for this machine ({runtime}, {precision}), once …")
        _build(folder, runtime, precision)
    return folder


def _build(folder: Path, runtime: RuntimeName, precision: Precision) -> None:
    """Build beside ``folder``, then rename: of two demos that start at once the first one wins,
    and the other takes what it finds."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".plan-", dir=folder.parent) as temporary:
            here = Path(temporary)
            built = build(BUNDLE, here / "new", runtime=runtime, precision=precision)
            if folder.exists() and not _is_whole(folder):
                folder.rename(here / "broken")
            _rename_unless_there(built, folder)
    except OSError as error:
        raise InputError(
            f"The cache {folder.parent} cannot be written: {error.strerror}; make room there."
        ) from error


def _rename_unless_there(built: Path, folder: Path) -> None:
    try:
        built.rename(folder)
    except OSError:  # a folder with content cannot be renamed onto: somebody was faster
        if not _is_whole(folder):
            raise


def _is_whole(folder: Path) -> bool:
    try:
        return read_plan(folder).golden is not None  # one of an older program has none
    except BundleError:
        return False
