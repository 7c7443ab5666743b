"""The chain that the audit trail forms: each entry's hash covers all of it and the hash before.

Pure: entries in, the first broken link out. What it can and cannot tell: whoever edits, removes,
adds or moves an entry, and leaves what follows as it was, is found. The chain has no secret, so
whoever may write the file can cut its end off, or compute all hashes anew from his edit on; that is
found only by a head (the last hash) that was kept where he cannot write.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from typing import Final

GENESIS: Final = "0" * 64
"""What the first entry follows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail: who did what to which object, when (UTC, as text), and why.

    Text all through: what is hashed is what is stored, to the letter. ``number`` counts from 1;
    ``old`` and ``new`` are None where there is no value to show; hashes are SHA-256 in hex.
    """

    number: int
    at: str
    who: str
    role: str
    action: str
    object: str
    old: str | None
    new: str | None
    reason: str | None
    previous_hash: str
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """The first entry that is not as it was written, and what is wrong with it."""

    number: int
    what: str


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk along the chain found: ``count`` sound entries, the last of them with ``head``.

    ``saw_head`` says whether the head that was kept elsewhere is among them, or the genesis.
    """

    count: int
    head: str
    saw_head: bool
    broken: Break | None = None


def hash_of(entry: Entry) -> str:
    """SHA-256 of every field but the hash itself, as one JSON array in ASCII.

    JSON keeps borders between fields, None apart from "", and numbers apart from text. A damaged
    file may hold bytes where text was; they have a hash, too, and it is another.
    """
    text = json.dumps(astuple(entry)[:-1], separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def sealed(entry: Entry) -> Entry:
    """The entry with its hash."""
    return replace(entry, hash=hash_of(entry))


def walk(entries: Iterable[Entry], kept_head: str = GENESIS) -> Walk:
    """Follow the chain from the first entry to the last, or to the first broken link."""
    count, head, saw = 0, GENESIS, kept_head == GENESIS
    for entry in entries:
        wrong = _wrong(entry, count, head)
        if wrong is not None:
            return Walk(count, head, saw, Break(entry.number, wrong))
        count, head = count + 1, entry.hash
        saw = saw or head == kept_head
    return Walk(count, head, saw)


def _wrong(entry: Entry, before: int, head: str) -> str | None:
    if hash_of(entry) != entry.hash:
        return "its content is not what its hash was made of"
    if entry.number != before + 1:
        return f"entry {before + 1} is missing in front of it"
    if entry.previous_hash != head:
        return "it does not follow the entry in front of it"
    return None
