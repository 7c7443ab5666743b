"""One station's settings: a TOML file, frozen once read, in which an unknown key is an error."""

import hashlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import parse_qsl, unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from engine.cli import MOST_THREADS
from engine.types import InputError

Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


GS1 = "gs1"
Keep: TypeAlias = Literal["all", "none"]
PictureFormat: TypeAlias = Literal["png", "jpeg"]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=36_500)]


def _code_pattern(pattern: str) -> str:
    if pattern == GS1:
        return pattern
    try:
        names = re.compile(pattern).groupindex.keys()
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if not names or not names <= {"part", "lot", "serial"}:
        raise ValueError("its named groups are to be of part, lot and serial")
    return pattern


class PictureSettings(BaseModel):
    """Which pictures are kept, how, and for how long; how overlays look.

    ``every_ok``: the picture of every n-th OK part; 1 keeps all, 0 none. ``ng`` and ``fault``:
    all of them, or none. ``format`` is the kept picture's: "png" has every bit, so that a part can
    be judged again; "jpeg" is smaller by far, and a score replayed from it is another score.
    ``jpeg_quality`` is OpenCV's, 1 to 100. OK pictures are kept for ``keep_ok_days``, those of NG
    and FAULT for ``keep_ng_days``, rows for ever. Once ``most_used`` of the disk is used the
    oldest go earlier; with less than ``least_free`` of it free no picture is saved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every_ok: Annotated[int, Field(ge=0)] = 0
    ng: Keep = "all"
    fault: Keep = "all"
    format: PictureFormat = "png"
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95
    opacity: Share = 0.5
    keep_ok_days: Days = 30
    keep_ng_days: Days = 180
    most_used: Share = 0.8
    least_free: Share = 0.05


CodeFormat: TypeAlias = Literal[
    "Aztec",
    "Codabar",
    "Code39",
    "Code93",
    "Code128",
    "DataBar",
    "DataMatrix",
    "EAN8",
    "EAN13",
    "ITF",
    "MicroQRCode",
    "PDF417",
    "QRCode",
    "UPCA",
    "UPCE",
]
_Offset = Annotated[int, Field(ge=0)]
_Length = Annotated[int, Field(ge=1)]


class PartSettings(BaseModel):
    """A code in the picture that says which part it shows.

    ``code``: what the whole text of the code is. ``pattern`` takes it apart instead: "gs1" by the
    application identifiers (01), (10) and (21), else a regular expression for the whole text with
    groups named part, lot, serial. ``formats`` and ``region`` (x, y, width, height in px of the
    picture) make reading faster, and leave out other codes. With ``required``, a part without a
    readable code is a FAULT.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Literal["part", "lot", "serial"] = "serial"
    formats: tuple[CodeFormat, ...] = ()
    region: tuple[_Offset, _Offset, _Length, _Length] | None = None
    pattern: Annotated[str, AfterValidator(_code_pattern)] | None = None
    required: bool = False


class MonitorSettings(BaseModel):
    """Where metrics and health are answered: this machine alone, unless ``host`` says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)]


class LogSettings(BaseModel):
    """The log's files in ``out/logs``: ``files`` of them in all, of ``megabytes`` each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    megabytes: Annotated[float, Field(gt=0, le=4096)] = 10.0
    files: Annotated[int, Field(ge=2, le=1000)] = 10


Port = Annotated[int, Field(ge=1, le=65535)]


class ModbusSettings(BaseModel):
    """The line's PLC over Modbus TCP; docs/line.md has the registers.

    ``role`` "server": the PLC polls us, and ``host`` is the address we listen on; "client": we
    poll the PLC at ``host``, each ``poll_ms``. ``base`` is the address of the map's first
    register. ``timeout_s`` of silence put the outputs into the safe state; ``answer_s`` after a
    trigger the line answers Error where no record came; ``beat_s`` is how often the heartbeat
    changes; ``life_s`` of silence of the thread that inspects stop it. ``products`` are those
    that the PLC names by recipe index, from 1. ``triggers`` is false where the camera is
    triggered by hardware. With ``plc_life`` the PLC counts as there only while it changes PlcLife.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["server", "client"]
    host: Annotated[str, Field(min_length=1)]
    port: Port = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    base: Annotated[int, Field(ge=0, le=60000)] = 0
    poll_ms: Annotated[float, Field(ge=1, le=1000)] = 20.0
    timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 2.0
    answer_s: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    beat_s: Annotated[float, Field(ge=0.05, le=10)] = 0.5
    life_s: Annotated[float, Field(ge=0.5, le=600)] = 5.0
    products: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    triggers: bool = True
    plc_life: bool = False
    low_word_first: bool = False
    low_byte_first: bool = False

    def product(self, recipe_index: int) -> str | None:
        """The product that an index names; None for 0, the station's own, and for unknown ones."""
        known = 1 <= recipe_index <= len(self.products)
        return self.products[recipe_index - 1] if known else None


class MqttSettings(BaseModel):
    """A broker that is told results, state and events; docs/line.md has topics and messages.

    Topics begin with ``prefix`` and the station's name. The password is never here: it is the
    first line of ``password_file``, or stands in the environment variable ``password_env``.
    ``ca`` turns TLS on and names whom to trust; ``cert`` and ``key`` are ours, where the broker
    asks for them. ``most_waiting`` results are kept in memory while the broker is away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(min_length=1)]
    port: Port = 1883
    prefix: Annotated[str, Field(pattern=r"^[^+#\x00/]+(/[^+#\x00/]+)*$")] = "inspector"
    client_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    keepalive_s: Annotated[int, Field(ge=1, le=3600)] = 10
    username: Annotated[str, Field(min_length=1)] | None = None
    password_file: Path | None = None
    password_env: Annotated[str, Field(min_length=1)] | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    most_waiting: Annotated[int, Field(ge=1, le=65_000)] = 1000  # MQTT numbers with 16 bits

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("password_file and password_env: name one")
        if self.username is None and (self.password_file or self.password_env):
            raise ValueError("a password needs a username")
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        if self.cert is not None and self.ca is None:
            raise ValueError("cert and key need ca: without it there is no TLS")
        return self


SECRETS: Final = frozenset({"password", "sslpassword"})
"""What the query of a PostgreSQL URL may name and nobody may read."""


class SiteSettings(BaseModel):
    """The site's database, to which each record is sent on: ``postgresql://user@server/name``, or
    ``sqlite:///PATH``.

    The password is never here: PostgreSQL's own ``~/.pgpass`` or ``PGPASSWORD`` has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str

    @field_validator("url")
    @classmethod
    def _is_a_database_without_password(cls, url: str) -> str:
        scheme, _, rest = url.partition("://")
        if scheme not in ("postgresql", "sqlite"):
            raise ValueError("a URL begins with postgresql:// or sqlite:///")
        options = {name.casefold() for name, _ in parse_qsl(rest.partition("?")[2])}
        # As SQLAlchemy reads it: a password may hold a slash, and ends at the first @.
        if options & SECRETS or re.match("[^:/]*:[^@]*@", rest):
            raise ValueError("leave the password out: ~/.pgpass or PGPASSWORD has it")
        if scheme == "sqlite" and re.match("/[^?]", rest) is None:
            raise ValueError("sqlite:/// is followed by the path of a file")
        host = re.split("[/?]", rest, maxsplit=1)[0].rpartition("@")[2]
        if re.fullmatch(r"(\[[^\]]+\]|[^:]*)(:\d{0,5})?", host) is None:
            raise ValueError("behind the server's name and a colon stands its port, a number")
        return url


class StationSettings(BaseModel):
    """What a person decides about a station; what was measured stands in the recipe.

    ``camera`` is a spec as ``open_camera`` takes it ("sim:…", "folder:PATH", "genicam:SERIAL");
    ``product`` may be left out where the camera names it; ``out`` holds database and pictures;
    ``shift`` and ``lot`` are written into the run, and into parts that name no lot of their own;
    ``grab_deadline_ms`` bounds the grab, ``deadline_ms`` the whole way from trigger to verdict;
    ``threads`` are the runtime's. One of ``trusted_keys``, public ones, has to have signed the
    bundle that the plan was built from, if there are any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    camera: Annotated[str, Field(min_length=1)]
    plan: Path
    recipe: Path
    out: Path
    product: str | None = None
    shift: Annotated[str, Field(min_length=1)] | None = None
    lot: Annotated[str, Field(min_length=1)] | None = None
    pictures: PictureSettings = PictureSettings()
    part: PartSettings | None = None
    log: LogSettings = LogSettings()
    monitor: MonitorSettings | None = None
    grab_deadline_ms: Milliseconds | None = None
    deadline_ms: Milliseconds | None = None
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)] | None = None
    trusted_keys: tuple[Path, ...] = ()
    modbus: ModbusSettings | None = None
    mqtt: MqttSettings | None = None
    site: SiteSettings | None = None


def read_settings(path: Path) -> StationSettings:
    """Read a station's TOML file; :class:`InputError` names the file and the key at fault.

    All paths in it, also a camera's own and a site's, are taken from the file's folder where they
    are relative.
    """
    try:
        settings = StationSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"There are no settings at {path}: name a station's TOML file.") from None
    except OSError as error:
        raise InputError(f"The settings {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The settings {path} are not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        said = "there is no such key; the README lists them all" if unknown else first["msg"]
        raise InputError(f"The settings {path} are not usable: {key}: {said}.") from error
    here = path.resolve().parent
    paths = {key: here / getattr(settings, key) for key in ("plan", "recipe", "out")}
    trusted = tuple(here / key for key in settings.trusted_keys)
    mqtt = None if settings.mqtt is None else _placed(settings.mqtt, here)
    places = {
        "trusted_keys": trusted,
        "mqtt": mqtt,
        "site": None if settings.site is None else _placed_site(settings.site, here),
        "camera": _placed_camera(settings.camera, here),
    }
    return settings.model_copy(update=paths | places)


def _placed(mqtt: MqttSettings, here: Path) -> MqttSettings:
    named = {key: getattr(mqtt, key) for key in ("password_file", "ca", "cert", "key")}
    return mqtt.model_copy(update={key: here / path for key, path in named.items() if path})


def _placed_camera(spec: str, here: Path) -> str:
    """Where it names a folder of pictures, a video file or a producer's file."""
    scheme, _, rest = spec.partition(":")
    source, mark, options = rest.partition("?")
    serial, at, producer = source.partition("@")
    is_file = scheme == "video" and os.path.isfile(here / source)  # noqa: PTH113 (Path's raises)
    if source and (scheme == "folder" or is_file):
        source = str(here / source)
    elif scheme == "genicam" and producer.endswith(".cti"):
        source = f"{serial}{at}{here / producer}"
    return f"{scheme}:{source}{mark}{options}" if source else spec


def _placed_site(site: SiteSettings, here: Path) -> SiteSettings:
    """Where it is a file: SQLAlchemy takes %XX in its path for the letter, and ? for its end."""
    start, found, rest = site.url.partition("sqlite:///")
    if start or not found:
        return site
    path, mark, options = rest.partition("?")
    placed = (here / unquote(path)).as_posix().replace("%", "%25").replace("?", "%3F")
    return site.model_copy(update={"url": f"{found}{placed}{mark}{options}"})


def settings_sha256(settings: StationSettings) -> str:
    """The fingerprint that a run's row carries: equal settings, equal fingerprint.

    A path may be bytes that are no UTF-8; Pydantic's own JSON takes none of those.
    """
    said = settings.model_dump()
    text = json.dumps(said, default=str, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
