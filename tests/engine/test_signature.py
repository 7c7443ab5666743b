"""Who made a bundle, and who says so."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from engine.archive import pack, unpack
from engine.build import build
from engine.bundle import read_bundle
from engine.plan import BUNDLE_SIGNATURE, BUNDLE_SUMS, read_plan
from engine.sealed import SIGNATURE, SUMS, seal
from engine.signature import make_keys
from engine.types import BundleError, InputError
from inspector.cli import app
from tests.engine.tiny import make_tiny_bundle


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_keys(tmp_path / "quality.pem")
    return tmp_path / "quality.pem"


@pytest.fixture
def signed(own_bundle: Path, key: Path) -> Path:
    read_bundle(own_bundle).sign(key)
    return own_bundle


def _public(key: Path) -> Path:
    return key.with_name(key.name + ".pub")


def test_the_commands_make_keys_sign_and_tell(own_bundle: Path, tmp_path: Path) -> None:
    def call(*words: object) -> tuple[int, str]:
        said = CliRunner().invoke(app, ["keys", *map(str, words)])
        return said.exit_code, " ".join(said.output.split())

    key, other = tmp_path / "a.pem", tmp_path / "b.pem"
    for path in (key, other):
        assert call("new", path)[0] == 0
    assert call("new", key) == (
        2,
        f"Error: {key} is there already: name another file for the new key.",
    )
    code, said = call("check", own_bundle, "--trusted", _public(key))
    assert (code, "is not signed" in said) == (2, True)
    assert call("sign", own_bundle, "--key", key)[0] == 0
    both = ("--trusted", _public(other), "--trusted", _public(key))
    code, said = call("check", own_bundle, *both)
    assert (code, said.endswith("signed by " + str(_public(key)))) == (0, True)
    code, said = call("check", own_bundle, "--trusted", _public(other))
    assert (code, "was signed by none of b.pem.pub" in said) == (2, True)


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_what_is_a_folder_is_no_place_for_a_key(name: str) -> None:
    with pytest.raises(InputError, match="is there already"):
        make_keys(Path(name))


def test_no_key_is_put_into_a_bundle(own_bundle: Path) -> None:
    with pytest.raises(InputError, match="would lie in the bundle itself"):
        make_keys(own_bundle / "quality.pem")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_private_key_is_its_owners(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_bundle_sealed_anew_is_no_longer_signed(signed: Path, key: Path) -> None:
    assert read_bundle(signed).signed_by([_public(key)]) == _public(key)
    words = signed / "prompts.json"
    words.write_text(words.read_text().replace("broken", "strange"))
    seal(signed)
    with pytest.raises(BundleError, match="was signed by none of"):
        read_bundle(signed).signed_by([_public(key)])


def test_a_signature_travels_with_the_archive(signed: Path, key: Path, tmp_path: Path) -> None:
    out = unpack(pack(signed, tmp_path / "b.zip"), tmp_path / "out")
    assert read_bundle(out).signed_by([_public(key)]) == _public(key)


def test_a_plan_is_built_from_what_is_trusted_only(
    own_bundle: Path, key: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="is not signed"):
        build(own_bundle, tmp_path / "plan", trusted=[_public(key)])
    read_bundle(own_bundle).sign(key)
    plan = build(own_bundle, tmp_path / "plan", trusted=[_public(key)])
    assert read_plan(plan, [_public(key)]).signed_by([_public(key)]) == _public(key)


def test_a_plan_says_whose_bundle_it_was_built_from(
    signed: Path, key: Path, tmp_path: Path
) -> None:
    plan = build(signed, tmp_path / "plan")
    other = make_tiny_bundle(tmp_path / "other", ("gear",))
    foreign = build(other, tmp_path / "foreign")
    with pytest.raises(BundleError, match="is not signed"):
        read_plan(foreign, [_public(key)])
    for name in (BUNDLE_SUMS, BUNDLE_SIGNATURE):  # another bundle's signature is none
        shutil.copyfile(plan / name, foreign / name)
    seal(foreign)
    with pytest.raises(BundleError, match="is not the one whose signature lies there"):
        read_plan(foreign, [_public(key)])


@pytest.mark.parametrize("content", [b"", b"junk", bytes(64)], ids=["none", "junk", "zeros"])
def test_a_broken_signature_is_none(signed: Path, key: Path, content: bytes) -> None:
    (signed / SIGNATURE).write_bytes(content)
    with pytest.raises(BundleError, match="was signed by none"):
        read_bundle(signed).signed_by([_public(key)])


def test_what_is_no_key_is_told(signed: Path, key: Path, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "x25519.pub").write_bytes(
        X25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for name, words in [("junk", "can be read"), ("x25519.pub", "no Ed25519"), ("none", "be read")]:
        with pytest.raises(InputError, match=words):
            read_bundle(signed).signed_by([_public(key), tmp_path / name])
    for path in (tmp_path / "junk", _public(key), tmp_path / "none"):
        with pytest.raises(InputError, match="is no private key"):
            read_bundle(signed).sign(path)


def test_another_tool_agrees(signed: Path, key: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here to ask")
    files = ["-in", signed / SUMS, "-sigfile", signed / SIGNATURE]
    call = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", _public(key), "-rawin", *files]
    said = subprocess.run(call, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_a_plan_is_not_signed(signed: Path, key: Path, tmp_path: Path) -> None:
    plan = build(signed, tmp_path / "plan")
    said = CliRunner().invoke(app, ["keys", "sign", str(plan), "--key", str(key)])
    assert said.exit_code == 2
    assert not (plan / SIGNATURE).exists()


def test_a_signature_that_is_too_long_is_none(signed: Path, key: Path) -> None:
    (signed / SIGNATURE).write_bytes(bytes(65))
    with pytest.raises(BundleError, match="longer than one can be"):
        read_bundle(signed).signed_by([_public(key)])
