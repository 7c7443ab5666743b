"""A PostgreSQL server of our own for a test: started in a folder of its own, gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "postgres"
SECONDS = 60


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of an empty database; skips where this machine has no server or no way to run it."""
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    tools = _tools()
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder, port = Path(name), _free_port()
        as_user = _somebody(folder)
        data = folder / "data"
        _run([*as_user, tools / "initdb", "-A", "trust", "-U", USER, "--no-sync", "-D", data])
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = [*as_user, tools / "pg_ctl", "-D", data, "-w", "-t", SECONDS]
        _run([*control, "-l", folder / "log", "-o", options, "start"])
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/{USER}"
        finally:
            _run([*control, "-m", "immediate", "stop"])


def _tools() -> Path:
    """Debian keeps them out of the way, one folder a version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("this machine has no PostgreSQL server")
    return found[-1].parent if found else Path(str(on_path)).parent


def _somebody(folder: Path) -> Sequence[str]:
    """PostgreSQL refuses to run as root: run it as its own user then."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return ()
    if shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    try:
        shutil.chown(folder, USER)
    except LookupError:
        pytest.skip("PostgreSQL does not run as root, and has no user of its own here")
    return ("runuser", "-u", USER, "--")


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _run(command: Sequence[object]) -> None:
    subprocess.run(
        [str(each) for each in command],
        check=True,
        timeout=SECONDS,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
