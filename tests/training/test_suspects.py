"""A bad picture among the good ones is found by the others."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.types import InputError
from tests.training.micro import SIDE, micro_model, write_goods
from training.datasets.dataset import read_dataset
from training.datasets.suspects import Ranked, suspicious, write_ranked
from training.datasets.validate import strange_goods
from training.pictures import Good
from training.prepare import fill_prompt, read_goods
from training.ranking import as_known, rank, some_of_each


def test_a_bad_part_in_the_bank_does_not_vouch_for_itself(tmp_path: Path) -> None:
    root = write_goods(tmp_path, "a", 12)
    bad = root / "a" / "train" / "good" / "005.png"
    image = cv2.imread(str(bad))
    image[16:48, 16:48] = (0, 0, 255)
    assert cv2.imwrite(str(bad), image)
    samples = read_dataset(root).train_goods(["a"])
    goods = read_goods(samples, SIDE, 0.1, 0)
    model = micro_model(1)
    torch.nn.init.zeros_(model.denoiser.last.weight)
    torch.nn.init.zeros_(model.segmentor.logit.weight)  # what the memory says, alone
    with torch.no_grad():
        fill_prompt(model, goods, 0)
    ranked = rank(model, goods.every, samples, lambda *_: None)
    assert ranked[0].path == bad
    assert ranked[0].score > 1.5 * ranked[1].score


def test_a_part_that_is_there_twice_has_no_strangers_score(tmp_path: Path) -> None:
    samples = read_dataset(write_goods(tmp_path, "a")).train_goods(["a"])
    first, second, third = samples[:3]
    second.path.write_bytes(first.path.read_bytes())
    known = as_known([Ranked("a", s.path, 0.5) for s in (first, second)], (first, second, third))
    assert [good.score for good in known] == [None, None, None]
    assert as_known([Ranked("a", third.path, 0.5)], [third])[0].score == 0.5


def test_few_goods_of_a_product_are_ranked_beside_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ranking.MOST_GOODS", 80)
    goods = [Good(i, int(i >= 500), np.zeros((1, 1, 3), np.uint8)) for i in range(520)]
    ranked = some_of_each(goods)
    assert [sum(g.product == p for g in ranked) for p in range(2)] == [50, 20]


def test_the_strange_ones_are_told_by_product(tmp_path: Path) -> None:
    names = [tmp_path / "a" / f"{i}.png" for i in range(5)]
    scores = [9.0, 5.0, 4.0, 3.0, 1.9]
    write_ranked([Ranked("a", *pair) for pair in zip(names, scores, strict=True)], tmp_path)
    assert [r.path for r in suspicious(tmp_path)] == names[:4]
    (found,) = strange_goods(tmp_path, tmp_path)
    assert found.severity == "warning"
    assert found.words.startswith("4 good pictures look like none of the others: ")
    assert "0.png" in found.words
    assert "and 1 more" in found.words


def test_a_run_without_a_table_or_with_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no goods\.csv"):
        list(suspicious(tmp_path))
    (tmp_path / "goods.csv").write_text("product,path,score\na,b,high\n", "utf-8")
    with pytest.raises(InputError, match="is damaged"):
        list(suspicious(tmp_path))
