"""Pictures are the same whichever process draws them, and whenever."""

import multiprocessing
from itertools import count

import numpy as np
import pytest

from tests.training.micro import SIDE
from training.pictures import MOST, Drawn, Good, Pictures, ahead, processes_here


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    rng = np.random.default_rng(0)
    goods = [
        Good(i, i % 2, rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for i in range(4)
    ]
    return Pictures(goods, [g.image for g in goods], seed=3, clean_share=0.3)


def _same(a: Drawn, b: Drawn) -> bool:
    return all((x == y).all() for x, y in zip(a, b, strict=True))


def test_a_row_is_the_same_in_whatever_company(pictures: Pictures) -> None:
    alone, together = pictures.draw([7]), pictures.draw([2, 7])
    assert (alone.spoilt[0] == together.spoilt[1]).all()
    assert together.owner.tolist() == [pictures[2].owner, pictures[7].owner]


def test_what_is_not_marked_is_not_spoilt(pictures: Pictures) -> None:
    drawn = pictures.draw(range(24))
    spoilt = drawn.mask.flatten(1).any(1)
    assert 0.4 < spoilt.float().mean() < 1
    same = (drawn.clean == drawn.spoilt).flatten(1).all(1)
    assert (same == ~spoilt).all()


def test_other_processes_draw_the_same_and_end_when_nobody_asks(pictures: Pictures) -> None:
    asked = [np.array([0, 5]), np.array([3, 1])]
    endless = (asked[i % 2] for i in count())  # a training run looks ahead of its own end
    drawn = ahead(pictures, endless, processes=1)
    for rows in asked:
        assert _same(next(drawn), pictures.draw(rows))
    assert len(multiprocessing.active_children()) == 1
    drawn.close()
    assert not multiprocessing.active_children()


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.pictures.usable_cores", lambda: 16)
    assert processes_here() == MOST
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert processes_here() == 3
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert processes_here() == 1
