"""The one command, `inspector`: finds the commands of every room, and is the border for errors.

A command is an entry point of the group ``promptmad_inspector.commands``. Listing them imports
none of them: the help line is read from the source. A station without torch thus still gets its
help at once, and hears what to install only from the command that needs it.
"""

import ast
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from engine.types import KnownError

DISTRIBUTION = "promptmad-inspector"
COMMANDS = "promptmad_inspector.commands"
CRASHED = 70  # sysexits' EX_SOFTWARE: Python's own 1 would read as "the answer is no"

EXTRA_OF = {
    "jinja2": "train",
    "lightning_fabric": "train",
    "matplotlib": "train",
    "onnxscript": "train",
    "open_clip": "train",
    "psycopg": "postgresql",
    "pycocotools": "train",
    "pycuda": "tensorrt",
    "safetensors": "train",
    "sklearn": "train",
    "tensorboard": "train",
    "tensorrt": "tensorrt",
    "timm": "train",
    "torch": "train",
    "torchmetrics": "train",
    "torchvision": "train",
    "yaml": "train",
}
"""Which extra brings a module that a plain station does not have."""


class CommandGroup(TyperGroup):
    """A group whose commands are entry points, imported only when called.

    ``ctx`` is Any: Typer keeps the base class of its Context private.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.entries = {entry.name: entry for entry in metadata.entry_points(group=COMMANDS)}
        # The bare names are for "Did you mean …?", which reads this dict.
        self.commands = {name: TyperCommand(name) for name in sorted(self.entries)}

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """What the help lists: a name and its line, without the module behind it."""
        entry = self.entries.get(cmd_name)
        return TyperCommand(cmd_name, help=summary(entry)) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """What is called: the real command, imported now."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and _load(self.entries[name]), rest

    def invoke(self, ctx: Any) -> Any:
        with _errors_told():
            return super().invoke(ctx)


def summary(entry: metadata.EntryPoint) -> str:
    """The first line of a command's docstring, read from its source without importing it.

    A group of commands is no function: its module's docstring speaks for it.
    """
    spec = find_spec(entry.module)
    if spec is None or spec.origin is None:
        return ""
    module = ast.parse(Path(spec.origin).read_bytes())
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return _first_line(node)
    return _first_line(module)


def _first_line(node: ast.FunctionDef | ast.Module) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]


def _load(entry: metadata.EntryPoint) -> Any:
    found = entry.load()
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command(entry.name)(found)
    return typer.main.get_command(alone)


@contextmanager
def _errors_told() -> Iterator[None]:
    """Turn the world's faults into one sentence and an exit code; ours go on up and crash."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _say(
            f"This needs the package {error.name}, which is not installed: "
            f'run pip install "{DISTRIBUTION}[{extra}]".'
        )
        raise typer.Exit(3) from None
    except _known_errors() as error:
        _say(str(error))
        raise typer.Exit(error.exit_code) from None


def _known_errors() -> "tuple[type[KnownError], ...]":
    """KnownError, if anybody imported it: its module brings numpy, which `--help` does not need."""
    types = sys.modules.get("engine.types")
    return (types.KnownError,) if types else ()


def _say(sentence: str) -> None:
    # Text, not markup: "[train]" must reach the reader. Unwrapped, so that logs can be searched.
    Console(stderr=True).print(Text("Error: ", style="bold red") + Text(sentence), soft_wrap=True)


app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 ok · 1 the answer is no · 2 wrong use or unusable input · "
    "3 the environment lacks something · 70 a fault of this program · 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version(DISTRIBUTION))
        raise typer.Exit


@app.callback()
def inspector(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Lets a factory line see its own defects: one model, many products, guided by words."""


def main() -> int:
    """The console script. It leaves by SystemExit, or returns 70 after an unforeseen error."""
    try:
        app(prog_name="inspector")
    except Exception:  # noqa: BLE001 — the last border: a crash must not exit 1, "the answer is no"
        traceback.print_exc()
    return CRASHED
