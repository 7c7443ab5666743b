"""A bundle as one file, and what comes in place of one."""

import hashlib
import os
import shutil
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from typer.testing import CliRunner

from engine.archive import pack, unpack
from engine.bundle import Bundle, read_bundle
from engine.sealed import SIGNATURE, SUMS, seal
from engine.types import BundleError, InputError
from inspector.cli import app


@pytest.fixture
def packed(tiny: Bundle, tmp_path: Path) -> Path:
    return pack(tiny.folder, tmp_path / "tiny.zip")


def test_a_bundle_goes_into_one_file_and_out_again(tiny: Bundle, tmp_path: Path) -> None:
    call = CliRunner().invoke
    said = call(app, ["pack", str(tiny.folder), "--out", str(tmp_path / "tiny.zip")])
    assert said.exit_code == 0, said.output
    out = tmp_path / "out"
    said = call(app, ["unpack", str(tmp_path / "tiny.zip"), "--out", str(out)])
    assert said.exit_code == 0, said.output
    assert read_bundle(out).sha256 == tiny.sha256
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in tiny.folder.iterdir()
    }
    said = call(app, ["unpack", str(tmp_path / "tiny.zip"), "--out", str(out)])
    assert (said.exit_code, "exists already" in said.output) == (2, True)
    unpack(tmp_path / "tiny.zip", out, overwrite=True)


def test_equal_bundles_make_equal_archives(tiny: Bundle, packed: Path, tmp_path: Path) -> None:
    again = shutil.copytree(tiny.folder, tmp_path / "copy")
    os.utime(again / "manifest.json", (1e9, 1e9))
    assert pack(again, tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def _rewritten(packed: Path, change: Callable[[ZipInfo, bytes, ZipFile], None]) -> None:
    """The same archive, each entry written by ``change``."""
    with ZipFile(packed) as old:
        entries = [(entry, old.read(entry)) for entry in old.infolist()]
    with ZipFile(packed, "w") as new:
        for entry, content in entries:
            change(entry, content, new)


def _plus(name: str, content: bytes = b"", mode: int = 0) -> Callable[[Path], None]:
    """One more entry."""

    def spoil(packed: Path) -> None:
        entry = ZipInfo(name)
        entry.external_attr = mode << 16
        with ZipFile(packed, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a name that is there twice
            archive.writestr(entry, content)

    return spoil


def _with_link(packed: Path) -> None:
    def change(entry: ZipInfo, content: bytes, new: ZipFile) -> None:
        if entry.filename == "prompts.npy":
            entry.external_attr, content = (stat.S_IFLNK | 0o777) << 16, b"/etc/passwd"
        new.writestr(entry, content)

    _rewritten(packed, change)


def _another_compression(packed: Path) -> None:
    _rewritten(packed, lambda entry, content, new: new.writestr(entry, content, ZIP_BZIP2))


def _cut(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-200])


def _broken(packed: Path) -> None:
    content = bytearray(packed.read_bytes())
    content[len(content) // 3] ^= 0xFF
    packed.write_bytes(content)


def _edited(packed: Path) -> None:
    def change(entry: ZipInfo, content: bytes, new: ZipFile) -> None:
        new.writestr(entry, content + b" " * (entry.filename == "prompts.json"))

    _rewritten(packed, change)


def _lacking(packed: Path) -> None:
    def change(entry: ZipInfo, content: bytes, new: ZipFile) -> None:
        if entry.filename != "head.onnx":
            new.writestr(entry, content)

    _rewritten(packed, change)


def _million(packed: Path) -> None:
    with ZipFile(packed, "a") as archive:
        for i in range(5000):  # as good as a million: the table of contents is never read
            archive.writestr(f"{i}", b"")


def _lying_about_its_size(packed: Path) -> None:
    """A bomb: prompts.npy announces 20 bytes and holds many more."""
    with ZipFile(packed) as archive:
        at = archive.getinfo("prompts.npy")
    content = packed.read_bytes()
    size = at.file_size.to_bytes(4, "little")
    head = content.rindex(b"prompts.npy") - 46  # in the central directory
    assert content[head : head + 4] == b"PK\x01\x02"
    assert content[head + 24 : head + 28] == size
    packed.write_bytes(content[: head + 24] + (20).to_bytes(4, "little") + content[head + 28 :])


def _larger_contents(packed: Path) -> None:
    """A Zip64 record overrules the small table of contents that the plain one tells of."""
    content = packed.read_bytes()
    at = content.rindex(b"PK\x05\x06")
    record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(44)
    locator = b"PK\x06\x07" + bytes(4) + at.to_bytes(8, "little") + bytes([1, 0, 0, 0])
    packed.write_bytes(content[:at] + record + locator + content[at:])


def _before_its_start(packed: Path) -> None:
    """The last entry is said to begin where nothing is."""
    content = packed.read_bytes()
    head = content.rindex(b"PK\x01\x02")
    packed.write_bytes(content[: head + 42] + b"\xff\xff\xff\x7f" + content[head + 46 :])


def _bomb(packed: Path) -> None:
    def change(entry: ZipInfo, content: bytes, new: ZipFile) -> None:
        if entry.filename == "prompts.npy":
            content = bytes(50_000_000)
        new.writestr(entry, content, ZIP_DEFLATED)

    _rewritten(packed, change)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_plus("/etc/cron.d/owned", b"x"), "'/etc/cron.d/owned', which is no file of a bundle"),
        (_plus("../../owned", b"x"), "which is no file of a bundle"),
        (_plus("..\\owned", b"x"), "which is no file of a bundle"),
        (_plus("CON", b"x"), "which is no file of a bundle"),
        (_plus("folder/"), "which is no file of a bundle"),
        (_plus("manifest.json", b"{}"), "a file twice"),
        (_with_link, "prompts.npy is no plain file"),
        (_another_compression, "compressed in a way"),
        (_cut, "it is no zip, or cut"),
        (_broken, " is damaged ("),
        (_edited, "truncated, edited or unreadable file, prompts.json"),
        (_lacking, "lacks its file head.onnx"),
        (_million, "table of contents is longer"),
        (_lying_about_its_size, "prompts.npy is damaged (Bad CRC-32"),
        (_larger_contents, "contents of a larger archive"),
        (_before_its_start, " is damaged ("),
        (_bomb, "unpacks to more than a bundle may have"),
    ],
)
def test_what_is_no_bundle_leaves_nothing(
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    monkeypatch.setattr("engine.archive.MOST_BYTES", 40_000_000)
    spoil(packed)
    with pytest.raises(BundleError) as error:
        unpack(packed, tmp_path / "out")
    assert words in str(error.value)
    assert list(tmp_path.iterdir()) == [packed]


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 99, b"PK\x05\x06" + bytes(9)])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(BundleError, match="is no packed bundle"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_an_archive_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        unpack(tmp_path / "none.zip", tmp_path / "out")


@pytest.mark.skipif(os.name == "nt", reason="links take rights on Windows")
def test_a_link_in_a_bundle_is_not_followed(own_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("PRIVATE KEY")
    (own_bundle / SIGNATURE).symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match=r"holds SHA256SUMS\.sig, which is no file of one"):
        pack(own_bundle, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_a_file_is_overwritten_on_request_only(tiny: Bundle, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    call = ["pack", str(tiny.folder), "--out", str(precious)]
    said = CliRunner().invoke(app, call)
    assert (said.exit_code, "exists already" in said.output) == (2, True)
    assert precious.read_text() == "mine"
    said = CliRunner().invoke(app, [*call, "--overwrite"])
    assert said.exit_code == 0, said.output
    assert unpack(precious, tmp_path / "out") == tmp_path / "out"


def test_a_folder_is_no_file_to_pack_into(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder: name a file in it"):
        pack(tiny.folder, tmp_path, overwrite=True)


def test_what_would_not_be_unpacked_is_not_packed(own_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="would lie in the bundle itself"):
        pack(own_bundle, own_bundle / "b.zip")
    (own_bundle / "README.txt").write_text("mine")
    seal(own_bundle)
    with pytest.raises(BundleError, match=r"holds README\.txt"):
        pack(own_bundle, tmp_path / "b.zip")


def test_a_bundle_of_a_newer_program_is_told_as_such(own_bundle: Path, tmp_path: Path) -> None:
    packed = pack(own_bundle, tmp_path / "b.zip")

    def change(entry: ZipInfo, content: bytes, new: ZipFile) -> None:
        if entry.filename == "manifest.json":
            content = content.replace(b'"schema_version": 1', b'"schema_version": 9')
        if entry.filename == SUMS:
            changed = (own_bundle / "manifest.json").read_bytes()
            changed = changed.replace(b'"schema_version": 1', b'"schema_version": 9')
            old, new_sum = (hashlib.sha256(c).hexdigest() for c in (_manifest, changed))
            content = content.replace(old.encode(), new_sum.encode())
        new.writestr(entry, content)

    _manifest = (own_bundle / "manifest.json").read_bytes()
    _rewritten(packed, change)
    with pytest.raises(BundleError, match=r"b\.zip.*has schema 9.*update promptmad-inspector\.$"):
        unpack(packed, tmp_path / "out")
