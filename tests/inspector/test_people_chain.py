"""The chain finds every edit but the ones it says it cannot find."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.db.chain import GENESIS, Break, Entry, hash_of, sealed, walk

Trail = list[Entry]


def chained(entries: Trail) -> Trail:
    """The same entries, numbered and hashed one after the other."""
    made: Trail = []
    for number, entry in enumerate(entries, 1):
        head = made[-1].hash if made else GENESIS
        made.append(sealed(replace(entry, number=number, previous_hash=head)))
    return made


texts = st.text(max_size=12)
values = st.none() | texts
entries = st.builds(
    Entry,
    number=st.just(0),
    at=texts,
    who=texts,
    role=texts,
    action=texts,
    object=texts,
    old=values,
    new=values,
    reason=values,
    previous_hash=st.just(""),
)
trails = st.lists(entries, min_size=3, max_size=8).map(chained)
TEXT_FIELDS = [field.name for field in fields(Entry) if field.name != "number"]


@given(trails, st.data())
def test_any_edited_byte_of_any_text_is_found(trail: Trail, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(trail) - 1))
    name = data.draw(st.sampled_from(TEXT_FIELDS))
    content = bytearray((getattr(trail[place], name) or "").encode())
    if not content:
        return
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    edited = bytes(content).decode("utf-8", "surrogateescape")
    trail[place] = replace(trail[place], **{name: edited})
    assert walk(trail).broken == Break(place + 1, "its content is not what its hash was made of")


@given(trails, st.data())
def test_none_and_nothing_and_borders_between_fields_differ(
    trail: Trail, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(trail) - 1))
    entry = trail[place]
    moved = replace(entry, who=entry.who + entry.role, role="")
    emptied = replace(entry, old="" if entry.old is None else None)
    for changed in (moved, emptied):
        assert changed == entry or hash_of(changed) != entry.hash


@given(trails, st.data())
def test_a_removed_row_is_found(trail: Trail, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(trail) - 2))
    del trail[place]
    broken = walk(trail).broken
    assert broken is not None
    assert broken.number == place + 2


@given(trails, st.data())
def test_a_swapped_pair_is_found(trail: Trail, data: st.DataObject) -> None:
    a, b = sorted(data.draw(st.sets(st.integers(0, len(trail) - 1), min_size=2, max_size=2)))
    trail[a], trail[b] = trail[b], trail[a]
    broken = walk(trail).broken
    assert broken is not None
    assert broken.number == b + 1
    numbers = [entry.number for entry in trail]
    renumbered = [replace(entry, number=n) for n, entry in zip(sorted(numbers), trail, strict=True)]
    assert walk(renumbered).broken is not None


@given(trails, entries, st.data())
def test_an_inserted_row_is_found(trail: Trail, new: Entry, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(trail) - 1))
    head = trail[place].previous_hash
    trail.insert(place, sealed(replace(new, number=place + 1, previous_hash=head)))
    if trail[place] == trail[place + 1]:
        return
    broken = walk(trail).broken
    assert broken is not None
    assert broken.number == place + 1


@given(trails, st.data())
def test_an_edit_with_its_hash_made_anew_is_found_at_the_next_row(
    trail: Trail, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(trail) - 2))
    trail[place] = sealed(replace(trail[place], who=trail[place].who + "x"))
    assert walk(trail).broken == Break(place + 2, "it does not follow the entry in front of it")


@given(trails, st.data())
def test_a_cut_or_rewritten_end_is_found_by_the_kept_head_alone(
    trail: Trail, data: st.DataObject
) -> None:
    head = trail[-1].hash
    place = data.draw(st.integers(0, len(trail) - 1))
    cut = trail[:place]
    rewritten = chained([*cut, replace(trail[place], who=trail[place].who + "x"), *trail[place:]])
    for forged in (cut, rewritten):
        assert walk(forged).broken is None, "there is no secret in the chain"
        assert not walk(forged, head).saw_head
    assert walk(trail, head).saw_head


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_older_head_is_seen_as_the_trail_grows(kept: int) -> None:
    line = Entry(0, "t", "anna", "engineer", "x", "y", None, None, None, "")
    trail = chained([line] * 3)
    found = walk(trail, trail[kept].hash)
    assert (found.count, found.head, found.saw_head) == (3, trail[-1].hash, True)


def test_no_trail_is_whole() -> None:
    assert walk([]).head == GENESIS
    assert walk([]).saw_head
