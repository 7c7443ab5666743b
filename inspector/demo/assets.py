"""What the demo ships: a bundle trained by this project and the recipe measured with it."""

from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from engine.build import build
from engine.bundle import read_bundle
from engine.manifest import Precision, RuntimeName
from engine.plan import read_plan
from engine.runtimes.choice import backend
from engine.types import BundleError

HERE = Path(__file__).parent
BUNDLE = HERE / "bundle"
RECIPE = HERE / "recipe.json"


def cached_plan(runtime: RuntimeName, precision: Precision, say: Callable[[str], None]) -> Path:
    """The demo's plan for this machine, built once and kept in the user's cache.

    Its folder is named by what it depends on: bundle, runtime, version and precision.
    """
    bundle = read_bundle(BUNDLE)
    made_with = f"{runtime}-{backend(runtime).version()}-{precision}"
    folder = user_cache_path("promptmad-inspector") / "plans" / f"{bundle.sha256[:16]}-{made_with}"
    if not _is_whole(folder):
        say(f"Building the plan for this machine ({runtime}, {precision}), once …")
        build(BUNDLE, folder, runtime=runtime, precision=precision, overwrite=True)
    return folder


def _is_whole(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        read_plan(folder)
    except BundleError:
        return False
    return True
