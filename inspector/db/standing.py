"""What the audit trail says of every account, to be held against the table of accounts.

Whoever may write the file may give himself a role, or somebody else his own password, and leave
the trail as it was. So the trail holds role and a fingerprint of the password's hash, too.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from inspector.db.chain import Entry

USER: Final = "user "
PASSWORD: Final = "password "


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's role, whether it is disabled, and the fingerprint of its password's hash."""

    role: str
    disabled: bool
    fingerprint: str


def object_of(name: str) -> str:
    """What an entry about an account calls it."""
    return f"{USER}{name}"


def fingerprint_of(password_hash: str) -> str:
    """16 digits of SHA-256; of a salted, slow hash they give nothing away."""
    return hashlib.sha256(password_hash.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def made_with(role: str, password_hash: str) -> str:
    """The new value of the entry that makes an account."""
    return f"{role}, {PASSWORD}{fingerprint_of(password_hash)}"


def noted(entries: Iterable[Entry], standings: dict[str, Standing]) -> Iterator[Entry]:
    """The same entries; ``standings`` by name is what those that have gone by make of them."""
    for entry in entries:
        yield entry  # who takes the next has found this one sound: of another nothing is read
        if entry.object.startswith(USER):
            name = entry.object.removeprefix(USER)
            after = _after(entry, standings.get(name))
            if after is not None:
                standings[name] = after


def strangers(standings: dict[str, Standing], accounts: dict[str, Standing]) -> tuple[str, ...]:
    """Names of accounts that are not as the trail has them, or that it does not have."""
    names = standings.keys() | accounts.keys()
    return tuple(sorted(n for n in names if standings.get(n) != accounts.get(n)))


def _after(entry: Entry, before: Standing | None) -> Standing | None:
    new = entry.new or ""
    if entry.action == "user_added":
        role, _, fingerprint = new.partition(f", {PASSWORD}")
        return Standing(role, False, fingerprint)
    if before is None:
        return None
    if entry.action == "role_changed":
        return replace(before, role=new)
    if entry.action == "password_changed":
        return replace(before, fingerprint=new.removeprefix(PASSWORD))
    if entry.action in ("user_disabled", "user_enabled"):
        return replace(before, disabled=entry.action == "user_disabled")
    return before
