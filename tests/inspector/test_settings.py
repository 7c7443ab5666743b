import hashlib
import sys
from pathlib import Path

import pytest

from engine.types import InputError
from inspector.db.central import parse_url
from inspector.settings import StationSettings, read_settings, settings_sha256

GOOD = """
name = "press 4"
camera = "sim:disc"
plan = "model/plan"
recipe = "recipe.json"
out = "records"
product = "disc"
deadline_ms = 200

[pictures]
every_ok = 10
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "station.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_and_its_paths_start_at_its_folder(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, GOOD))

    assert settings.camera == "sim:disc"
    assert settings.recipe == tmp_path.resolve() / "recipe.json"
    assert settings.deadline_ms == 200
    assert settings.pictures.every_ok == 10
    assert settings.threads is None


@pytest.mark.parametrize(
    ("camera", "placed"),
    [
        ("folder:parts?product=disc", "folder:{here}/parts?product=disc"),
        ("folder:/mnt/parts", "folder:/mnt/parts"),
        ("video:film.mp4", "video:{here}/film.mp4"),
        ("video:0?fps=5", "video:0?fps=5"),
        (f"video:{'long' * 100}", f"video:{'long' * 100}"),  # no disk has such a name
        ("video:rtsp://cam/1?a=b", "video:rtsp://cam/1?a=b"),
        (
            "genicam:7@drivers/vendor.cti?buffers=32",
            "genicam:7@{here}/drivers/vendor.cti?buffers=32",
        ),
        ("genicam:0@viky", "genicam:0@viky"),
        ("sim:disc,label?seed=2", "sim:disc,label?seed=2"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the paths are written as POSIX has them")
def test_a_camera_that_is_a_file_or_folder_is_looked_for_from_there_too(
    tmp_path: Path, camera: str, placed: str
) -> None:
    (tmp_path / "film.mp4").touch()
    settings = read_settings(write(tmp_path, GOOD.replace("sim:disc", camera)))

    assert settings.camera == placed.format(here=tmp_path.resolve())


@pytest.mark.parametrize(
    ("url", "placed"),
    [
        ("sqlite:///all/site.sqlite", "sqlite:///{here}/all/site.sqlite"),
        ("sqlite:////mnt/site.sqlite", "sqlite:////mnt/site.sqlite"),
        ("postgresql://me@server/site", "postgresql://me@server/site"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the paths are written as POSIX has them")
def test_a_site_that_is_a_file_is_looked_for_from_there_too(
    tmp_path: Path, url: str, placed: str
) -> None:
    settings = read_settings(write(tmp_path, f'{GOOD}[site]\nurl = "{url}"'))

    assert settings.site is not None
    assert settings.site.url == placed.format(here=tmp_path.resolve())


@pytest.mark.skipif(sys.platform == "win32", reason="a name has no question mark there")
def test_a_sites_file_is_the_one_beside_the_settings_whatever_their_folder_is_called(
    tmp_path: Path,
) -> None:
    (folder := tmp_path / "50%3F?").mkdir()
    settings = read_settings(write(folder, f'{GOOD}[site]\nurl = "sqlite:///site.sqlite"'))

    assert settings.site is not None
    assert parse_url(settings.site.url).database == str(folder.resolve() / "site.sqlite")


def test_a_code_in_the_picture_is_looked_for_only_where_a_person_says_so(tmp_path: Path) -> None:
    part = (
        '[part]\ncode = "lot"\nformats = ["DataMatrix"]\nregion = [1, 2, 3, 4]\npattern = "gs1"\n'
    )
    without, asked = (read_settings(write(tmp_path, GOOD + more)) for more in ("", part))

    assert without.part is None
    assert asked.part is not None
    assert (asked.part.code, asked.part.region) == ("lot", (1, 2, 3, 4))
    assert not asked.part.required


def test_absolute_paths_stay(tmp_path: Path) -> None:
    elsewhere = (tmp_path / "elsewhere").as_posix()
    settings = read_settings(write(tmp_path, GOOD.replace('"records"', f'"{elsewhere}"')))

    assert settings.out == Path(elsewhere)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "opactiy = 0.5", r"pictures\.opactiy: there is no such key"),
        (GOOD.replace("200", "-1"), "deadline_ms: Input should be greater than 0"),
        (GOOD.replace("200", "inf"), "deadline_ms: Input should be a finite number"),
        (GOOD.replace('camera = "sim:disc"', ""), "camera: Field required"),
        (GOOD + "every_ok = 3", "not TOML"),
        (GOOD + "most_used = 1.5", r"pictures\.most_used: Input should be less than or equal to 1"),
        (GOOD + "keep_ok_days = 0", r"pictures\.keep_ok_days: Input should be greater"),
        (GOOD + 'format = "tiff"', r"pictures\.format: Input should be 'png' or 'jpeg'"),
        (GOOD + '[part]\npattern = "("', r"part\.pattern: .*not a regular expression"),
        pytest.param(
            GOOD + f"[part]\npattern = '{'(' * 5000}'",
            r"part\.pattern: .*not a regular",
            id="too deep",
        ),
        (GOOD + "[part]\npattern = '(?P<lot>a{4294967295})'", r"part\.pattern: .*not a regular"),
        (GOOD + "[part]\npattern = '(?P<who>.*)'", r"part\.pattern: .*part, lot and serial"),
        (GOOD + "[part]\npattern = '.*'", r"part\.pattern: .*part, lot and serial"),
        (GOOD + "[part]\nregion = [0, 0, 10, 0]", r"part\.region\.3: Input should be greater"),
        (GOOD + '[part]\nformats = ["QR"]', r"part\.formats\.0: Input should be 'Aztec'"),
        ("name = ", "not TOML"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_settings(write(tmp_path, text))

    assert "station.toml" in str(caught.value)


def test_a_missing_file_a_folder_and_a_binary_are_named(tmp_path: Path) -> None:
    binary = tmp_path / "station.bin"
    binary.write_bytes(b"\xff\xfe\x00")

    for path in (tmp_path / "none.toml", tmp_path, binary):
        with pytest.raises(InputError, match=path.name):
            read_settings(path)


def test_equal_settings_have_equal_fingerprints_and_others_do_not() -> None:
    settings = StationSettings(
        name="a", camera="sim:", plan=Path("p"), recipe=Path("r"), out=Path("o")
    )
    twin = StationSettings.model_validate(settings.model_dump())

    assert settings_sha256(settings) == settings_sha256(twin)
    assert settings_sha256(settings) != settings_sha256(settings.model_copy(update={"threads": 2}))


def test_a_folder_whose_name_is_no_text_has_a_fingerprint_and_others_keep_theirs(
    tmp_path: Path,
) -> None:
    settings = read_settings(write(tmp_path, GOOD))
    odd = settings.model_copy(update={"out": Path("/mnt/Ger\udce4t"), "trusted_keys": (Path("k"),)})
    others = settings.model_copy(update={"out": Path("/mnt/Gerät")})

    assert len({settings_sha256(each) for each in (settings, odd, others)}) == 3
    by_pydantic = others.model_dump_json().encode()
    assert settings_sha256(others) == hashlib.sha256(by_pydantic).hexdigest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[monitor]", r"monitor\.port: Field required"),
        ("[monitor]\nport = 0", r"monitor\.port: Input should be greater"),
        ("[monitor]\nport = 9\npath = 1", r"monitor\.path: there is no such key"),
        ("[log]\nfiles = 1", r"log\.files: Input should be greater"),
        ("[log]\nmegabytes = 0", r"log\.megabytes: Input should be greater"),
    ],
)
def test_monitor_and_log_refuse_nonsense(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_settings(write(tmp_path, GOOD + text))


def test_nobody_is_answered_unless_a_port_is_named(tmp_path: Path) -> None:
    with_port = read_settings(write(tmp_path, GOOD + "[monitor]\nport = 9464"))

    assert read_settings(write(tmp_path, GOOD)).monitor is None
    assert with_port.monitor is not None
    assert (with_port.monitor.host, with_port.monitor.port) == ("127.0.0.1", 9464)
