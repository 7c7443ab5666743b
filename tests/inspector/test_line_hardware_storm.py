"""A PLC that keeps to docs/line.md, a camera that hardware triggers, and all that can go wrong
between them: no part passes on another's verdict."""

import random
from collections import deque
from dataclasses import dataclass, field, replace

import pytest

from inspector.camera.base import Frame
from inspector.line.desk import Desk
from inspector.line.handshake import Handshake, Rules
from inspector.line.signals import SAFE, Outputs, PlcSignals, StationSigns
from inspector.pipeline.inspection import Inspection, Verdict
from tests.inspector.handshake_parts import BROKEN, PAUSED, WELL
from tests.inspector.pipeline_parts import NOON, prediction

STEP_S = 0.01
LIFE_S = 0.5
REST_S = 2.0
LINK_S = 0.6


@dataclass
class Plc:
    """Rules 1 to 5. It sees the station as its last poll left it."""

    seen: Outputs = SAFE
    says: PlcSignals = field(default_factory=PlcSignals)
    in_hand: deque[int] = field(default_factory=deque)
    last: int = 0
    passed: list[tuple[int, int]] = field(default_factory=list)  # part, and whose verdict it was

    def poll(self, outputs: Outputs) -> None:
        self.seen = outputs
        if not outputs.inspecting:
            self.in_hand.clear()
        if outputs.result_ready and not self.says.ack:
            self._take(outputs)
            self.says = replace(self.says, ack=True)
        elif not outputs.result_ready:
            self.says = replace(self.says, ack=False)

    def _take(self, outputs: Outputs) -> None:
        number = outputs.result.number
        part = self.in_hand.popleft() if self.in_hand else None
        if part is not None and outputs.ok and number == self.last + 1:
            self.passed.append((part, int(outputs.result.score)))
        self.last = number


@dataclass
class Hall:
    """Line, camera and the thread that inspects, all in one thread and one time."""

    dice: random.Random
    now: float = 100.0
    plc: Plc = field(default_factory=Plc)
    signs: StationSigns = WELL
    fired: int = 0
    on_the_way: list[tuple[float, int]] = field(default_factory=list)  # when it is there, part
    waiting: deque[tuple[int, int]] = field(default_factory=deque)  # frame id, part
    frame_id: int = 0
    next_record: int = 0
    busy_until: float = 0.0
    well_at: float = 0.0
    cut_until: float = 0.0

    def __post_init__(self) -> None:
        self.desk = Desk(lambda: self.now, lambda: None, answer_s=5.0, life_s=LIFE_S)
        self.desk.begin()
        self.line = Handshake(Rules(triggers=False, rest_s=REST_S))

    def step(self) -> None:
        self.now += STEP_S
        self._go_wrong()
        self._camera()
        self._inspect()
        heard = self.now >= self.cut_until
        outputs = self.line.step(
            self.plc.says,
            self.desk.signs,
            self.desk.take_results(),
            self.now,
            link=heard or self.now < self.cut_until - 3.0 + LINK_S,
            alive=self.desk.is_alive(),
        ).outputs
        if heard and self.dice.random() < 0.3:
            self.plc.poll(outputs)
        elif not heard and self.now > self.cut_until - 3.0 + LINK_S:
            self.plc.poll(SAFE)  # it lost the station, too
        if self.plc.seen.trigger_ready and self.dice.random() < 0.08:
            self._fire()

    def _fire(self) -> None:
        self.plc.in_hand.append(self.fired)
        before = self.on_the_way[-1][0] if self.on_the_way else 0.0
        there = max(before, self.now + self.dice.uniform(0.01, 0.1))  # none overtakes another
        self.on_the_way.append((there, self.fired))
        self.fired += 1

    def _go_wrong(self) -> None:
        if self.signs is not WELL and self.now >= self.well_at:
            self.signs = WELL
        elif self.dice.random() < 0.002:
            self.signs = self.dice.choice([PAUSED, BROKEN])
            self.well_at = self.now + self.dice.choice([0.02, 0.3, 3.0])
            if self.signs is BROKEN:  # the camera is lost, with all that it holds
                self.on_the_way.clear()
        elif self.dice.random() < 0.001:
            self.busy_until = self.now + 1.5  # hangs, and pictures come on
        elif self.now > self.cut_until and self.dice.random() < 0.0005:
            self.cut_until = self.now + 3.0
        self.desk.show(self.signs)

    def _camera(self) -> None:
        there = sorted(picture for picture in self.on_the_way if picture[0] <= self.now)
        self.on_the_way = [picture for picture in self.on_the_way if picture[0] > self.now]
        for _, part in there:
            frame_id, self.frame_id = self.frame_id, self.frame_id + 1
            if self.dice.random() > 0.03:  # else it is lost: a gap in the ids
                self.waiting.append((frame_id, part))
                self.desk.took(frame_id, self.now)

    def _inspect(self) -> None:
        if self.now < self.busy_until:
            return
        self.desk.alive()
        if not self.waiting:
            return
        frame_id, part = self.waiting.popleft()
        for lost in range(self.next_record, frame_id):
            self._record(lost, None)
        self._record(frame_id, part)
        self.next_record = frame_id + 1
        self.busy_until = self.now + self.dice.uniform(0.02, 0.12)

    def _record(self, frame_id: int, part: int | None) -> None:
        frame = Frame(frame_id, None, NOON, 0.0, "hall")
        verdict = Verdict.FAULT if part is None else Verdict.OK
        seen = prediction(0.0 if part is None else float(part))
        self.desk.answer(
            Inspection(str(frame_id), frame, verdict, None, "disc", NOON, seen), triggered=False
        )


@pytest.mark.parametrize("seed", range(4))
def test_no_part_passes_on_anothers_verdict(seed: int) -> None:
    hall = Hall(random.Random(seed))
    for _ in range(30_000):
        hall.step()
    assert [part for part, whose in hall.plc.passed if part != whose] == []
    assert len(hall.plc.passed) > hall.fired / 4 > 100
