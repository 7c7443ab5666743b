"""The command line: listed without imports, loaded when called, honest in its exit codes."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner, Result

from inspector import cli

HEAVY = {"cv2", "numpy", "PySide6", "sqlalchemy", "torch"}


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", dedent(code), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution of somebody else with one command, `greet`; returns its module's file."""
    info = tmp_path / "greeter-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{cli.COMMANDS}]\ngreet = greeter_plugin:greet\n")
    module = tmp_path / "greeter_plugin.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "greeter_plugin", raising=False)
    return module


def greet_that(module: Path, *body: str) -> Result:
    """Call `inspector greet Ada` with the lines of `body` as the command."""
    lines = ["import typer", "from engine.types import InputError, MissingError", ""]
    lines += ["def greet(name: str) -> None:", '    """Say hello.', "", '    At length."""']
    module.write_text("\n".join([*lines, *(f"    {line}" for line in body)]) + "\n")
    return CliRunner().invoke(cli.app, ["greet", "Ada"])


def test_help_lists_every_command_and_its_line_without_importing_it(plugin: Path) -> None:
    plugin.write_text('def greet() -> None:\n    """Say hello.\n\n    At length."""\n1 / 0\n')
    shown = CliRunner().invoke(cli.app, ["--help"])
    assert shown.exit_code == 0
    assert re.search(r"greet +Say hello\. ", shown.output)
    assert "At length" not in shown.output
    for entry in metadata.entry_points(group=cli.COMMANDS):
        assert entry.name in shown.output


def test_a_command_is_loaded_when_called(plugin: Path) -> None:
    result = greet_that(plugin, "typer.echo(f'Hello {name}')")
    assert (result.exit_code, result.stdout) == (0, "Hello Ada\n")


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("raise typer.Exit(1)", 1, ""),
        ("raise InputError('No picture in x[1]: give a folder.')", 2, "No picture in x[1]: give"),
        ("raise MissingError('No camera.')", 3, "No camera."),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise ModuleNotFoundError(name='sklearn.metrics')", 3, '"promptmad-inspector[train]"'),
        ("raise ModuleNotFoundError(name='pycuda')", 3, '"promptmad-inspector[tensorrt]"'),
    ],
)
def test_exit_codes(plugin: Path, line: str, code: int, told: str) -> None:
    result = greet_that(plugin, line)
    assert result.exit_code == code
    assert result.stdout == ""
    assert told in result.stderr
    assert result.stderr.count("\n") == bool(told), "one sentence, unwrapped"


def test_wrong_use_is_2_and_guesses_what_was_meant(plugin: Path) -> None:
    assert greet_that(plugin, "pass").exit_code == 0
    assert CliRunner().invoke(cli.app, ["greet"]).exit_code == 2
    missed = CliRunner().invoke(cli.app, ["gret"])
    assert missed.exit_code == 2
    assert "'greet'" in missed.stderr


@pytest.mark.parametrize("fault", ["ZeroDivisionError()", "ModuleNotFoundError(name='mine')"])
def test_our_own_fault_crashes(plugin: Path, fault: str) -> None:
    result = greet_that(plugin, f"raise {fault}")
    assert isinstance(result.exception, ZeroDivisionError | ModuleNotFoundError)


def test_a_crash_does_not_exit_1_which_means_no(plugin: Path) -> None:
    greet_that(plugin, "raise ZeroDivisionError")
    crashed = run_python(
        """
        import sys
        from inspector.cli import main
        sys.path.insert(0, sys.argv.pop(1))
        sys.exit(main())
        """,
        str(plugin.parent),
        "greet",
        "Ada",
    )
    assert crashed.returncode == 70
    assert "ZeroDivisionError" in crashed.stderr


def test_version() -> None:
    result = CliRunner().invoke(cli.app, ["--version"])
    assert result.stdout.strip() == metadata.version("promptmad-inspector")


def test_importing_the_command_line_stays_light() -> None:
    loaded = run_python(
        """
        import sys, inspector.cli
        print(*{name.partition(".")[0] for name in sys.modules})
        """
    )
    assert loaded.returncode == 0, loaded.stderr
    assert not HEAVY & set(loaded.stdout.split())


WITHOUT_TRAIN = """
    import sys

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {"torch", "torchvision", "timm", "open_clip"}:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Absent())
    from inspector.cli import main
    sys.exit(main())
"""


def test_a_station_without_the_train_extra_gets_help_and_hears_what_to_install() -> None:
    assert run_python(WITHOUT_TRAIN, "train", "--help").returncode == 0
    arguments = [
        "train",
        "--data",
        ".",
        "--products",
        "a",
        "--config",
        "promptmad-bank-tiny",
        "--out",
        ".",
    ]
    refused = run_python(WITHOUT_TRAIN, *arguments)
    assert refused.returncode == 3, refused.stderr
    assert 'pip install "promptmad-inspector[train]"' in refused.stderr
    assert "Traceback" not in refused.stderr


def test_every_package_of_the_extras_is_known_to_the_border() -> None:
    """Whoever adds a package to an extra is told here to name its module in EXTRA_OF."""
    modules = metadata.packages_distributions()
    for requirement in metadata.requires(cli.DISTRIBUTION) or ():
        extra = re.search(r"extra == '(train|tensorrt|postgresql)'", requirement.replace('"', "'"))
        name = re.match(r"[\w.-]+", requirement)
        if extra and name:
            wanted = name[0].lower().replace("-", "_")
            brought = {
                module
                for module, owners in modules.items()
                if wanted in {owner.lower().replace("-", "_") for owner in owners}
                and not module.startswith(("_", "torchgen", "functorch"))
            }
            assert not brought or brought & set(cli.EXTRA_OF), requirement
