"""One station's settings: a TOML file, frozen once read, in which an unknown key is an error."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.cli import MOST_THREADS
from engine.types import InputError

Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class PictureSettings(BaseModel):
    """Which pictures are kept beside those of NG and FAULT, and how overlays look.

    ``every_ok``: the picture of every n-th OK part; 1 keeps all, 0 none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every_ok: Annotated[int, Field(ge=0)] = 0
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.5


class StationSettings(BaseModel):
    """What a person decides about a station; what was measured stands in the recipe.

    ``camera`` is a spec as ``open_camera`` takes it ("sim:…", "folder:PATH", "genicam:SERIAL");
    ``product`` may be left out where the camera names it; ``out`` holds database and pictures;
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
    pictures: PictureSettings = PictureSettings()
    grab_deadline_ms: Milliseconds | None = None
    deadline_ms: Milliseconds | None = None
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)] | None = None
    trusted_keys: tuple[Path, ...] = ()


def read_settings(path: Path) -> StationSettings:
    """Read a station's TOML file; :class:`InputError` names the file and the key at fault.

    All paths in it are taken from the file's own folder where they are relative.
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
        raise InputError(f"The settings {path} are not usable: {key}: {first['msg']}.") from error
    here = path.resolve().parent
    paths = {key: here / getattr(settings, key) for key in ("plan", "recipe", "out")}
    trusted = tuple(here / key for key in settings.trusted_keys)
    return settings.model_copy(update=paths | {"trusted_keys": trusted})


def settings_sha256(settings: StationSettings) -> str:
    """The fingerprint that a run's row carries: equal settings, equal fingerprint."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()
