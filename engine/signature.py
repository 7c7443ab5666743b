"""Who made a bundle: an Ed25519 signature (RFC 8032) over its SHA256SUMS, so over all of it.

Keys are PEM files as any tool reads them; the signature is 64 bytes, so that
``openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig``
says the same. A plan carries both files of its bundle along.
"""

from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from engine.files import unwritable, whole_file
from engine.sealed import require_unsealed
from engine.types import BundleError, InputError

SIGNATURE_BYTES = 64
MOST_SUMS_BYTES = 16 * 1024


def make_keys(private: Path) -> Path:
    """Write a new pair, ``private`` for its owner's eyes and ``private.pub``; returns the latter.

    :class:`InputError` where one of them is there already: what it signed would be nobody's; or
    where they would lie in a bundle.
    """
    public = Path(f"{private}.pub")  # of any path, "." and "/" as well, which are there already
    require_unsealed(private.parent)
    try:
        for path in (private, public):
            if path.exists():
                raise InputError(f"{path} is there already: name another file for the new key.")
    except OSError as error:
        raise unwritable(private, error) from error
    key = Ed25519PrivateKey.generate()
    with whole_file(private) as part:
        part.touch(0o600, exist_ok=False)
        part.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with whole_file(public) as part:
        part.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
    return public


def sign(sums: Path, private: Path, out: Path) -> None:
    """Write the signature of ``sums`` to ``out``, in place of one that is there;
    :class:`InputError` where ``private`` is no key."""
    try:
        key = load_pem_private_key(private.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{private} is no private key that can be read: {error}.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{private} is no Ed25519 key: make one with 'inspector keys new'.")
    with whole_file(out) as part:
        part.write_bytes(key.sign(sums.read_bytes()))


def require_signed(sums: Path, signature: Path, trusted: Sequence[Path], what: str) -> Path:
    """The key of ``trusted`` public ones that signed ``sums``; :class:`BundleError` if none did,
    :class:`InputError` where one of them is no key."""
    keys = {path: _public(path) for path in trusted}  # a broken one is told, whoever signed
    if not (sums.is_file() and signature.is_file()):
        raise BundleError(
            f"{what} is not signed, and only signed ones are trusted here: sign it with "
            "'inspector keys sign', or build its plan from a signed bundle."
        )
    message, made = _read(sums, MOST_SUMS_BYTES, what), _read(signature, SIGNATURE_BYTES, what)
    for path, key in keys.items():
        try:
            key.verify(made, message)
        except InvalidSignature:
            continue
        return path
    names = ", ".join(path.name for path in trusted)
    raise BundleError(f"{what} was signed by none of {names}: do not use it before you know why.")


def _read(path: Path, most: int, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise BundleError(f"{what} has a {path.name} that cannot be read: {error}.") from error
    if len(content) > most:
        raise BundleError(f"{what} has a {path.name} that is longer than one can be.")
    return content


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{path} is no public key that can be read: {error}.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path} is no Ed25519 key: give one of 'inspector keys new'.")
    return key
