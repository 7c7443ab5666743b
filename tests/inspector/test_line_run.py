"""From the PLC's trigger to the row and back: the loop, the database and the line together."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from threading import Thread

from inspector.camera.base import Frame
from inspector.db.history import History
from inspector.db.log import InspectionLog
from inspector.line.frames import frame_of, refused_frame
from inspector.line.modbus import ModbusLine
from inspector.line.registers import StatusBit
from inspector.line.signals import StationSigns
from inspector.pipeline.control import Control
from inspector.pipeline.inspection import Reason, Verdict
from inspector.pipeline.loop import inspect
from inspector.pipeline.sinks import run
from inspector.settings import ModbusSettings
from tests.inspector.db_parts import run_info
from tests.inspector.line_parts import Answer, Events, Ladder, PollingPlc, free_port, wait_for
from tests.inspector.pipeline_parts import (
    NOON,
    RECIPE,
    ScriptedDetector,
    frame,
    numbered_ids,
    prediction,
)

WELL = StationSigns(ready=True, inspecting=True, state="ContinuousExecution")


def fired(line: ModbusLine, control: Control) -> Iterator[Frame]:
    """A camera with a software trigger; the fourth picture is lost on its way. As a station, it
    is Ready once whoever takes its inspections is there."""
    line.show(WELL)
    for trigger in line.triggers(control):
        if trigger.refused is not None:
            yield refused_frame(trigger, "test", NOON)
        elif trigger.number != 4:
            yield frame_of(trigger, frame(trigger.number), "disc")


def test_each_trigger_has_a_row_and_each_answer_is_that_of_its_row(tmp_path: Path) -> None:
    port, control = free_port(), Control()
    settings = ModbusSettings(role="server", host="127.0.0.1", port=port, answer_s=1.0)
    log = InspectionLog(tmp_path / "rows.sqlite", run_info())
    scores = iter([prediction(0.1), prediction(0.9), *repeat(prediction(0.2), 5)])
    control.start()
    with ModbusLine(settings, Events()) as line, closing(PollingPlc(port)) as plc:
        ladder = Ladder(plc)
        judged = inspect(
            fired(line, control),
            ScriptedDetector(scores),
            RECIPE,
            triggered=True,
            new_id=numbered_ids(),
        )
        worker = Thread(target=run, args=(judged, [log, line.sink()]), daemon=True)
        worker.start()
        answers = [ladder.part("A-1"), ladder.part("A-2")]
        line.show(replace(WELL, inspecting=False))
        ladder.until(StatusBit.TRIGGER_READY, high=False)
        ladder.say(trigger=True)
        answers.append(ladder.take())
        line.show(WELL)
        answers += [ladder.part("A-4"), ladder.part("A-5")]
        control.stop()
        worker.join(10)

    ok = Answer(1, ok=True, ng=False, error=False, reason=0)
    ng = replace(ok, ok=False, ng=True, reason=1)
    fault = replace(ng, error=True)
    assert answers == [
        ok,
        replace(ng, number=2),
        replace(fault, number=3, reason=41),
        replace(fault, number=4, reason=14),
        replace(ok, number=5),
    ]
    with History(tmp_path / "rows.sqlite") as history:
        rows = sorted(history.page(), key=lambda row: row.sequence)
    assert [(row.frame_id, row.verdict, row.reason) for row in rows] == [
        (0, Verdict.OK, None),
        (1, Verdict.NG, Reason.DEFECT),
        (2, Verdict.FAULT, Reason.NOT_READY),
        (3, Verdict.FAULT, Reason.LOST_FRAME),
        (4, Verdict.OK, None),
    ]
    wait_for(lambda: not worker.is_alive())
