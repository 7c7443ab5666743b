"""Messages, passwords and certificates: what needs no broker."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.types import InputError
from inspector.camera.base import PartIdentity
from inspector.line.mqtt_access import read_password, tls_context
from inspector.line.mqtt_messages import (
    MOST_PART_BYTES,
    event_message,
    read_part,
    result_message,
    state_message,
    topic_level,
)
from inspector.line.signals import LineCounts, StationSigns, Trigger
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.inspection import Inspection, Reason, Region, Verdict
from inspector.settings import MqttSettings
from tests.inspector.line_parts import judged
from tests.inspector.mqtt_parts import make_certificates
from tests.inspector.pipeline_parts import NOON, prediction

SECRET = "correct horse"


def bad(serial: str = "bad 1") -> Inspection:
    seen = judged(Trigger(1, PartIdentity("17-A", None, serial), 0, 0.0, frame_id=7))
    return replace(
        seen, regions=(Region(1, 2, 3, 4, 9, 0.9, ((1, 2), (3, 4))),), stages_ms={"infer": 12.5}
    )


def test_a_result_says_all_that_the_row_does() -> None:
    assert json.loads(result_message("press 4", 12, bad())) == {
        "id": "1",
        "sequence": 12,
        "station": "press 4",
        "verdict": "NG",
        "reason": "defect",
        "product": "disc",
        "part": {"part": "17-A", "lot": None, "serial": "bad 1"},
        "score": 0.75,
        "threshold": 0.5,
        "regions": [{"x": 1, "y": 2, "width": 3, "height": 4, "area_px": 9, "peak": 0.9}],
        "camera": "test",
        "frame_id": 7,
        "grabbed_at": "2026-11-21T12:00:00.000+00:00",
        "inspected_at": "2026-11-21T12:00:00.000+00:00",
        "stages_ms": {"infer": 12.5},
    }


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_null(score: float) -> None:
    spoilt = replace(
        bad(), verdict=Verdict.FAULT, reason=Reason.INVALID_SCORE, prediction=prediction(score)
    )
    assert json.loads(result_message("s", 1, spoilt))["score"] is None


def test_state_and_event() -> None:
    signs = StationSigns(True, True, "ContinuousExecution")
    assert json.loads(state_message(signs, LineCounts(9, 5, 3, 1), 2, NOON)) == {
        "state": "ContinuousExecution",
        "ready": True,
        "inspecting": True,
        "counters": {"ok": 5, "ng": 3, "fault": 1, "dropped": 2},
        "at": "2026-11-21T12:00:00.000+00:00",
    }
    event = StationEvent(EventCode.LINE_LOST, NOON, "The PLC is gone.", {"link": "modbus"})
    assert json.loads(event_message(event)) == {
        "code": "line_lost",
        "severity": "alarm",
        "text": "The PLC is gone.",
        "details": {"link": "modbus"},
        "at": "2026-11-21T12:00:00.000+00:00",
    }


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        ('{"part": "17-A", "lot": "4", "serial": "1"}', PartIdentity("17-A", "4", "1")),
        ('{"serial": "Ö-1"}', PartIdentity(serial="Ö-1")),
        ('{"part": null}', PartIdentity()),
        ("{}", PartIdentity()),
    ],
)
def test_identities_of_every_kind(payload: str, part: PartIdentity) -> None:
    assert read_part(payload.encode()) == part


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"17-A",
        b"\xff\xfe",
        b"[]",
        b'{"part": 17}',
        b'{"part": ""}',
        b'{"serial": "A\\u0000B"}',
        b'{"serial": "A\\udce4B"}',
        b'{"prat": "17-A"}',
        b'{"part": "' + b"x" * 201 + b'"}',
        b"[" * 3000,
        b" " * (MOST_PART_BYTES + 1),
    ],
)
def test_what_is_no_identity_is_one_sentence(payload: bytes) -> None:
    with pytest.raises(InputError, match=r"A part message .* say"):
        read_part(payload)


def test_a_name_is_one_level_of_a_topic() -> None:
    assert topic_level("hall 2/press #4+") == "hall 2-press -4-"


def chosen(**other: object) -> MqttSettings:
    return MqttSettings.model_validate({"host": "broker", "username": "press4", **other})


def test_a_password_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\nnot this\n", encoding="utf-8")
    assert read_password(chosen(password_file=tmp_path / "secret"), {}) == SECRET
    assert read_password(chosen(password_env="P"), {"P": SECRET}) == SECRET
    assert read_password(chosen(), {"P": SECRET}) is None


def test_a_password_that_cannot_be_had_is_named_by_its_place_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(f"\n{SECRET}", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff" + SECRET.encode())
    cases = [chosen(password_file=tmp_path / name) for name in ("none", "empty", "binary", ".")]
    for settings in [*cases, chosen(password_env="MISSING")]:
        with pytest.raises(InputError, match=r"MQTT password") as caught:
            read_password(settings, {"OTHER": SECRET})
        assert SECRET not in str(caught.value)


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    ca, cert = tmp_path / "ca.pem", tmp_path / "station.pem"
    key, other = tmp_path / "station.key", tmp_path / "broker.key"
    assert tls_context(chosen()) is None
    assert tls_context(chosen(ca=ca, cert=cert, key=key)) is not None
    with pytest.raises(InputError, match=r"none\.pem is no readable certificate"):
        tls_context(chosen(ca=tmp_path / "none.pem"))
    with pytest.raises(InputError, match="no readable pair"):
        tls_context(chosen(ca=ca, cert=cert, key=other))
