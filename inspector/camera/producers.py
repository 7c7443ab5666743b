"""Finding GenTL producers and the cameras they offer, and opening one of them.

While a camera is open, a second Harvester in the same process finds no devices.
"""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import genicam
from genicam.genapi import GenericException as GenApiError
from genicam.gentl import GenericException as GenTLError
from harvesters.core import Harvester

from engine.types import InputError, MissingError

PRODUCER_PATH = "GENICAM_GENTL64_PATH"  # where vendors' installers list their producers' folders


ACCESS: Mapping[str, str] = MappingProxyType(
    {
        "1": "free",
        "2": "read only",
        "3": "no access",
        "4": "in use",
        "5": "open here",
        "6": "open here, read only",
    }
)
"""GenTL's DEVICE_ACCESS_STATUS in words; 0 is unknown."""


@dataclass(frozen=True, slots=True)
class Device:
    """A camera that a producer offers; `serial` falls back to the producer's id for it.

    `access` is what the producer says of who may use it now, in words.
    """

    serial: str
    model: str
    vendor: str
    access: str = ""


def shipped_producer() -> Path:
    """viky.cti of the genicam package: three simulated cameras with serials 0, 1 and 2."""
    return Path(genicam.__file__).with_name("viky.cti")


def producer_named(name: str) -> Path | None:
    """A producer's file as people write it: a path, "viky", or "" for all that are installed."""
    return shipped_producer() if name == "viky" else Path(name) if name else None


def installed_producers(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The GenTL producers (.cti) that vendors' installers made known on this machine."""
    folders = [folder for folder in environment.get(PRODUCER_PATH, "").split(os.pathsep) if folder]
    return tuple(file for folder in folders for file in sorted(Path(folder).glob("*.cti")))


def list_devices(producer: Path | None = None) -> tuple[Device, ...]:
    """What `producer`, or else every installed one, sees now; not while a camera is open."""
    with discovered(producer) as harvester:
        return tuple(device_of(found) for found in harvester.device_info_list)


@contextmanager
def discovered(producer: Path | None) -> Iterator[Any]:
    """A Harvester that has looked for devices, closed at the end."""
    producers = installed_producers() if producer is None else (producer,)
    if not producers:
        raise MissingError(
            f"No GenTL producer is known: set {PRODUCER_PATH} to the folder with your camera "
            "vendor's .cti file, or name the file: genicam:SERIAL@/path/to/producer.cti."
        )
    with Harvester() as harvester:
        for file in producers:
            if not file.is_file():
                raise MissingError(f"There is no GenTL producer at {file}: install the vendor's.")
            harvester.add_file(str(file))
        harvester.update()
        yield harvester


def device_of(found: Any) -> Device:
    said = {key: str(value) for key, value in found.property_dict.items() if value is not None}
    return Device(
        said.get("serial_number", said.get("id_", "")),
        said.get("model", ""),
        said.get("vendor", ""),
        ACCESS.get(said.get("access_status", ""), ""),
    )


@contextmanager
def opened(harvester: Any, serial: str) -> Iterator[Any]:
    """The acquirer of one device, which nobody else may use meanwhile."""
    found = _find(harvester.device_info_list, serial)
    try:
        with _interrupt_kept():
            acquirer = harvester.create(found)
    except GenTLError as error:
        raise MissingError(
            f"The camera {serial} cannot be opened ({error}): close the program that uses it."
        ) from error
    with acquirer:
        yield acquirer


def _find(devices: Sequence[Any], serial: str) -> Any:
    names = ("serial_number", "id_", "user_defined_name")
    matching = [
        one for one in devices if serial in {str(one.property_dict.get(name)) for name in names}
    ]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InputError(
            f"{len(matching)} devices answer to {serial!r}: name one producer, "
            f"genicam:{serial}@/path/to/producer.cti."
        )
    seen = ", ".join(device_of(one).serial for one in devices)
    raise MissingError(
        f"There is no camera {serial!r} among {seen}: check its serial number, cable and power."
        if seen
        else f"No camera is seen where {serial!r} was asked for: check cable and power, that the "
        "producer (.cti) is your vendor's, and that this process has no other camera open."
    )


@contextmanager
def _interrupt_kept() -> Iterator[None]:
    """Harvesters takes SIGINT for itself when it opens a device; Ctrl-C is not its business."""
    mine = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        # Elsewhere than in the main thread nobody can set a handler, Harvesters neither.
        if threading.current_thread() is threading.main_thread() and mine is not None:
            signal.signal(signal.SIGINT, mine)


@contextmanager
def answering(serial: str) -> Iterator[None]:
    try:
        yield
    except (GenTLError, GenApiError) as error:
        raise MissingError(
            f"The camera {serial} stopped answering ({error}): check its cable and power."
        ) from error
