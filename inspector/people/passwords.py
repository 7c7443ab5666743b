"""Passwords: what is taken for one, and the one door to argon2.

Argon2id with the first profile of OWASP's Password Storage Cheat Sheet (46 MiB, one pass, one
lane): one core for a tenth of a second. The library's own takes every core four times as long,
beside a line that is being inspected. Length is the only rule (NIST SP 800-63B: no rules of
composition, no expiry), beside a few that everybody tries first.
"""

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from engine.types import InputError

LEAST: Final = 12
"""Characters."""
MOST: Final = 256
"""Characters: a sentence fits, and a megabyte is nobody's password."""

OBVIOUS: Final = ("password", "passwort", "inspector", "promptmad", "qwertz", "qwerty", "123456")
"""Made longer by repeating, they are as easy to guess as they were."""

NOBODY: Final = (
    "$argon2id$v=19$m=47104,t=1,p=1$"
    "X9y9QnwzlMXzGw/K2gPZtA$V8Atk/j3qhljMF7ZzCynwZS1Pj+bOBwpkQG0Jf8EkAc"
)
"""The hash of a password that was thrown away: an unknown name costs the time of a known one."""


def hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)


def hash_password(password: str, name: str = "") -> str:
    """The hash to store; :class:`InputError` where the password is too easy to guess.

    ``name`` is the account's, which its password may not be made of.
    """
    text = _normal(password)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("This password has letters that are none: type it anew.") from None
    if not LEAST <= len(text) <= MOST:
        raise InputError(
            f"A password has {LEAST} to {MOST} characters, this one has {len(text)}: "
            "take some words that do not belong together."
        )
    if any(_is_repeated(text.casefold(), word) for word in (*OBVIOUS, name, text[0].casefold())):
        raise InputError(
            "This password is among the first that anybody would try: "
            "take some words that do not belong together."
        )
    return hasher().hash(text)


def is_password(stored: str | None, password: str) -> bool:
    """Whether it is the password of this hash; None, for nobody's, takes as long and says no."""
    try:
        hasher().verify(stored or NOBODY, _normal(password)[: MOST + 1])
    except (VerificationError, InvalidHashError, UnicodeEncodeError):  # lone surrogates in either
        return False
    return stored is not None


def _normal(password: str) -> str:
    """One form for what keyboards write in two (NIST SP 800-63B asks for NFKC or NFKD)."""
    return unicodedata.normalize("NFKC", password)


def _is_repeated(text: str, word: str) -> bool:
    """Whether the text is that word, once or over and over, and less than half a password more."""
    return bool(word) and word in text and len(text.replace(word, "")) < LEAST // 2
