from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from inspector.pipeline.ids import uuid7_ids


def test_the_example_of_rfc_9562_appendix_a6() -> None:
    """017F22E2-79B0-7CC3-98C4-DC0C0C07398F: 0xCC3 is 3267 of 4096 parts of a millisecond."""
    now_ns = 0x017F22E279B0 * 1_000_000 + 797_608
    random_bits = 0x18C4DC0C0C07398F.to_bytes(8, "big")
    new_id = uuid7_ids(lambda: now_ns, lambda n: random_bits)

    assert new_id() == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_are_uuids_of_version_7() -> None:
    made = UUID(uuid7_ids()())

    assert (made.version, made.variant) == (7, RFC_4122)


@given(st.lists(st.integers(0, 2**48 * 10**6 - 10**9), min_size=2, max_size=50))
def test_ids_rise_even_where_the_clock_is_set_back(clock: list[int]) -> None:
    ticks = iter(clock)
    new_id = uuid7_ids(lambda: next(ticks))
    made = [new_id() for _ in clock]

    assert made == sorted(set(made))
