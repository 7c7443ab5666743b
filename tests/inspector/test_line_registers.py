"""The map itself, and the way from signals to registers and back."""

import struct
from dataclasses import replace
from itertools import pairwise

import pytest

from inspector.camera.base import NOT_SAID, PartIdentity
from inspector.line import registers as r
from inspector.line.codec import Order, read_plc, write_station
from inspector.line.signals import SAFE, LineCounts, Outputs, PlcSignals, Result
from inspector.pipeline.inspection import Reason, Verdict

HIGH_FIRST = Order()


def block(**at: int) -> list[int]:
    words = [0] * r.PLC_COUNT
    for name, value in at.items():
        words[int(name.removeprefix("at"))] = value
    return words


def lay_text(words: list[int], address: int, raw: bytes) -> list[int]:
    padded = raw.ljust(32, b"\0")
    words[address : address + 16] = struct.unpack(">16H", padded)
    return words


@pytest.mark.parametrize(
    ("entries", "first", "count"),
    [
        (r.PLC_REGISTERS, r.PLC_FIRST, r.PLC_COUNT),
        (r.STATION_REGISTERS, r.STATION_FIRST, r.STATION_COUNT),
    ],
)
def test_no_two_registers_overlap_and_each_block_holds_its_own(
    entries: tuple[r.Register, ...], first: int, count: int
) -> None:
    assert entries[0].address == first
    assert entries[-1].last == first + count - 1
    assert all(a.last < b.address for a, b in pairwise(entries))


def test_one_request_carries_a_whole_side() -> None:
    assert max(r.PLC_COUNT, r.STATION_COUNT) <= 123  # the most that one write may carry


def test_every_reason_and_verdict_has_a_code_of_its_own() -> None:
    assert set(r.REASON_CODES) == set(Reason)
    assert set(r.VERDICT_CODES) == set(Verdict)
    for codes in (r.REASON_CODES, r.VERDICT_CODES, r.STATE_CODES):
        assert len(set(codes.values())) == len(codes)
        assert 0 not in codes.values()
    assert r.OTHER_REASON not in r.REASON_CODES.values()


def test_the_plcs_block_is_read() -> None:
    words = lay_text(block(at0=0b11, at1=7, at2=4711, at3=9), 4, b"17-A")
    words = lay_text(words, 20, "Lös 4".encode())
    assert read_plc(words, HIGH_FIRST) == PlcSignals(
        trigger=True,
        ack=True,
        recipe_index=7,
        life=4711,
        counter=9,
        part=PartIdentity("17-A", "Lös 4", None),
    )


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", None),
        (b"   ", None),
        (b"x" * 32, "x" * 32),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"A\0B", "A"),
    ],
)
def test_texts_of_every_kind(raw: bytes, said: str | None) -> None:
    assert read_plc(lay_text(block(), 36, raw), HIGH_FIRST).part == replace(NOT_SAID, serial=said)


def test_texts_whose_low_byte_comes_first() -> None:
    words = block(at4=0x3231, at5=0x0033)
    assert read_plc(words, Order(low_byte_first=True)).part.part == "123"


def test_the_stations_block_is_written() -> None:
    result = Result(0x12345678, Verdict.NG, Reason.DEFECT, 0.75, 0.5, 3)
    outputs = Outputs(
        result_ready=True,
        ng=True,
        heartbeat=True,
        inspecting=True,
        recipe_echo=2,
        part_echo=65535,
        state="ContinuousExecution",
        result=result,
        counts=LineCounts(70_000, 5, 6, 7, 8),
    )
    words = write_station(outputs, HIGH_FIRST)
    assert words[:8] == (0b1101010, 2, 7, 1, 0x1234, 0x5678, 2, 3)
    assert struct.unpack(">2f", struct.pack(">4H", *words[8:12])) == (0.75, 0.5)
    assert words[12:] == (1, 4464, 0, 5, 0, 6, 0, 7, 0, 8, 1, 65535)
    swapped = write_station(outputs, Order(low_word_first=True))
    assert swapped[4:6] == (0x5678, 0x1234)


def test_the_safe_state_lets_no_part_pass() -> None:
    assert write_station(SAFE, HIGH_FIRST)[:7] == (0b11000, 65535, 1, 0, 0, 0, 0)


@pytest.mark.parametrize("score", [1e300, -1e300, float("nan")])
def test_a_score_that_no_register_holds_is_no_crash(score: float) -> None:
    result = Result(1, Verdict.FAULT, Reason.INVALID_SCORE, score)
    words = write_station(replace(SAFE, result=result), HIGH_FIRST)
    (laid,) = struct.unpack(">f", struct.pack(">2H", *words[8:10]))
    assert not abs(laid) < float("inf")


def test_numbers_go_round() -> None:
    result = Result(2**32 + 5, Verdict.OK)
    words = write_station(replace(SAFE, result=result), HIGH_FIRST)
    assert words[4:6] == (0, 5)


@pytest.mark.parametrize(
    "wrong", [{"ok": True, "ng": True}, {"ok": True}, {"error": True, "result_ready": True}]
)
def test_outputs_that_contradict_themselves_cannot_be_made(wrong: dict[str, bool]) -> None:
    with pytest.raises(ValueError, match="stands"):
        Outputs(**wrong)  # type: ignore[arg-type]
