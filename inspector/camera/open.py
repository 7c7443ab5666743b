"""From one string to a camera: `sim:…`, `folder:…`, `genicam:…`, `video:…`; chosen here only.

Each source is imported when it is asked for: a folder needs no GenICam libraries.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import parse_qsl

from engine.types import InputError
from inspector.camera.base import Camera
from inspector.camera.genicam_options import genicam_options

FORMS = (
    "sim:all or sim:PRODUCT,…[?seed=1&size=256&defect_rate=0.1&parts=200&lost=0.01&"
    "trigger=software&…]",
    "folder:PATH[?product=NAME&loop=true]",
    "genicam:SERIAL[@PRODUCER.cti][?trigger=Line1&edge=rising&delay_us=100&debounce_us=50"
    "&buffers=16&FEATURE=VALUE&…]",
    "video:NUMBER[?width=1280&height=720&fps=30]",
    "video:FILE or video:rtsp://…",
)


Alive: TypeAlias = Callable[[], None]


def open_camera(spec: str, alive: Alive = lambda: None) -> Camera:
    """The camera that `spec` describes, not yet entered; :class:`InputError` says what is allowed.

    ``genicam:0@viky`` is a simulated camera of the producer that the genicam package ships. What
    follows a ``?`` in a genicam spec is its trigger (free, software, or the name of a line), how
    many pictures its buffers hold, and features of the camera, set in that order. `alive` is called
    by the thread that iterates the frames, several times a second while a camera waits and is well;
    a folder never waits, and a video waits in OpenCV.
    """
    scheme, source, options = split_spec(spec)
    return _SOURCES[scheme](source, options, alive)


def split_spec(spec: str) -> tuple[str, str, Mapping[str, str]]:
    """The scheme, the source and the options of `spec`; :class:`InputError` where it has none."""
    scheme, colon, rest = spec.partition(":")
    source, _, query = (rest, "", "") if _is_address(scheme, rest) else rest.partition("?")
    if scheme not in _SOURCES or not colon or not source:
        raise InputError(f"The camera {spec!r} is not one of {' · '.join(FORMS)}.")
    return scheme, source, _options(spec, query)


def _is_address(scheme: str, rest: str) -> bool:
    """Whether what follows a ``?`` is the camera's own, to be passed on as it is."""
    return scheme == "video" and "://" in rest


def _options(spec: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        raise InputError(
            f"The options of the camera {spec!r} are not name=value, joined by &."
        ) from None
    return dict(pairs)


def _sim(source: str, options: Mapping[str, str], alive: Alive) -> Camera:
    from inspector.camera.simulated import simulated_camera

    return simulated_camera(source, options, alive)


def _folder(source: str, options: Mapping[str, str], _: Alive) -> Camera:
    from inspector.camera.folder import FolderCamera

    unknown = ", ".join(sorted(options.keys() - {"loop", "product"}))
    if unknown:
        raise InputError(f"A folder camera has no option {unknown}: it has loop, product.")
    loop = _switch("loop", options.get("loop", "false"))
    return FolderCamera(Path(source), options.get("product"), loop=loop)


def _genicam(source: str, options: Mapping[str, str], alive: Alive) -> Camera:
    from inspector.camera.genicam import GenICamCamera
    from inspector.camera.producers import producer_named

    serial, _, producer = source.partition("@")
    file = producer_named(producer)
    asked = genicam_options(options)
    return GenICamCamera(
        serial,
        file,
        trigger=asked.trigger,
        settings=asked.features,
        alive=alive,
        buffers=asked.buffers,
    )


def _video(source: str, options: Mapping[str, str], _: Alive) -> Camera:
    from inspector.camera.video import PROPERTIES, VideoCamera

    unknown = ", ".join(sorted(options.keys() - PROPERTIES.keys()))
    if unknown:
        raise InputError(f"A video camera has no option {unknown}: it has {', '.join(PROPERTIES)}.")
    return VideoCamera(source, {name: _number(name, value) for name, value in options.items()})


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"The camera's option {name} is a number, not {value!r}.") from None


def _switch(name: str, value: str) -> bool:
    if value not in {"true", "false"}:
        raise InputError(f"The camera's option {name} is true or false, not {value!r}.")
    return value == "true"


_SOURCES: Mapping[str, Callable[[str, Mapping[str, str], Alive], Camera]] = MappingProxyType(
    {"sim": _sim, "folder": _folder, "genicam": _genicam, "video": _video}
)
