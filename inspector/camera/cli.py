"""`inspector cameras`: which GenICam cameras there are, what they offer, and what they lack."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.types import InputError
from inspector.camera.genicam_options import genicam_options
from inspector.camera.open import split_spec
from inspector.settings import read_settings


def cameras(
    producer: Annotated[
        str | None, typer.Option(help="A GenTL producer's .cti file, or viky; else all installed.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(help="One camera: its serial number, or genicam:… as in settings.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help='Show its features whose names match: "Trigger*", "*".')
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="A station's TOML file: what it asks of its camera.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """List GenICam cameras, a camera's features, and what a station asks that its camera lacks."""
    if settings is not None and (camera or producer):
        raise InputError("The settings name the camera: give --settings, or --camera, not both.")
    spec = camera if settings is None else read_settings(settings).camera
    if spec is None:
        _say({"producers": list(_producers(producer))}, as_json)
        return
    shown = features or ("*" if settings is None and "?" not in spec else None)
    said = _examined(_whole(spec, producer), shown)
    _say(said, as_json)
    if said.get("lacking"):
        raise typer.Exit(1)


def _whole(spec: str, producer: str | None) -> str:
    """A bare serial number as a spec."""
    if ":" in spec:
        return spec
    return f"genicam:{spec}@{producer}" if producer else f"genicam:{spec}"


def _producers(named: str | None) -> Iterator[Mapping[str, Any]]:
    from inspector.camera.producers import installed_producers, list_devices, producer_named

    file = producer_named(named or "")
    files = installed_producers() if file is None else (file,)
    if not files:
        list_devices()  # says what to do
    for one in files:
        yield {"file": str(one), "devices": [asdict(device) for device in list_devices(one)]}


def _examined(spec: str, pattern: str | None) -> dict[str, Any]:
    """The camera's features that match, and what the spec asks that it lacks."""
    scheme, source, options = split_spec(spec)
    if scheme != "genicam":
        raise InputError(f"A {scheme} camera has no features to compare: only genicam ones have.")
    from inspector.camera.requests import lacking, list_features

    asked = genicam_options(options)
    serial, _, producer = source.partition("@")
    with _features_of(serial, producer) as features:
        lacks = tuple(lacking(features, serial, asked.trigger, asked.features))
        listed = () if pattern is None else list_features(features, pattern)
    said: dict[str, Any] = {"camera": serial, "lacking": [asdict(one) for one in lacks]}
    return said if pattern is None else said | {"features": [asdict(one) for one in listed]}


@contextmanager
def _features_of(serial: str, producer: str) -> Iterator[Mapping[str, Any]]:
    """The features of a camera that is opened, and left as it is."""
    from inspector.camera.features import by_name
    from inspector.camera.producers import answering, discovered, opened, producer_named

    with (
        discovered(producer_named(producer)) as harvester,
        opened(harvester, serial) as acquirer,
        answering(serial),
    ):
        yield by_name(acquirer.remote_device.node_map)


def _say(said: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(said))
        return
    for text in _tables(said):
        Console().print(text)


def _tables(said: Mapping[str, Any]) -> Iterator[Table | Text]:
    for producer in said.get("producers", ()):
        yield Text(producer["file"])
        rows = [one.values() for one in producer["devices"]]
        yield _table(("serial", "model", "vendor", "access"), rows) if rows else Text("no camera")
    if "features" in said:
        rows = [one.values() for one in said["features"]]
        yield _table(("feature", "value", "access", "takes", "unit"), rows)
    if said.get("lacking"):
        rows = [one.values() for one in said["lacking"]]
        yield _table(("lacking", "asked", "what the camera offers"), rows)
    elif "lacking" in said:
        yield Text(f"The camera {said['camera']} has all that is asked of it.")


def _table(headings: Sequence[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # text, not markup
    return table
