"""The cache goes on where it stopped, with the same rows, and never trains on what is not there."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.types import InputError
from tests.training.micro import MODEL, SIDE, micro_model
from tests.training.test_run import report, spec
from training.axes import fit_axes
from training.cache import FeatureCache
from training.datasets.sample import Sample
from training.pictures import Good, Pictures
from training.prepare import Goods, fill_prompt, read_goods, spread
from training.rows import RowMaker
from training.run import open_run
from training.train import _rows

ROWS = 20
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def goods() -> list[Good]:
    rng = np.random.default_rng(0)
    return [Good(i, i % 2, rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for i in range(6)]


def _maker(goods: list[Good]) -> RowMaker:
    return RowMaker(micro_model(), Pictures(goods, [g.image for g in goods], 3, clean_share=0.3))


def _filled(folder: Path, goods: list[Good], until: int = ROWS, made: int = 0) -> FeatureCache:
    maker = _maker(goods)
    cache = FeatureCache(folder, ROWS, maker.model, made)
    while cache.made < until:
        cache.fill(maker, CPU)
    return cache


def test_what_is_not_rebuilt_needs_no_unspoilt_picture(tmp_path: Path, goods: list[Good]) -> None:
    config = MODEL.model_copy(update={"reconstruction": False})
    maker = RowMaker(micro_model(config=config).eval(), _maker(goods).pictures)
    cache = FeatureCache(tmp_path, ROWS, maker.model)
    cache.fill(maker, CPU)
    assert cache.batch(np.arange(4), CPU).clean is None
    assert not (tmp_path / "clean.npy").exists()


def test_an_interrupted_cache_ends_with_the_same_rows(tmp_path: Path, goods: list[Good]) -> None:
    whole = _filled(tmp_path / "whole", goods)
    first = _filled(tmp_path / "cut", goods, until=8)
    resumed = _filled(tmp_path / "cut", goods, made=first.made)
    a, b = (cache.batch(np.arange(ROWS), CPU) for cache in (whole, resumed))
    for name in ("prompt", "clean", "mask", "product"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name))
    torch.testing.assert_close(a.features.tokens, b.features.tokens)
    assert a.features.tokens.is_contiguous(memory_format=torch.channels_last)
    assert a.mask.flatten(1).any(1).float().mean() > 0.4  # some clean, most spoilt


def test_rows_made_as_they_are_asked_for_are_those_of_the_cache(
    tmp_path: Path, goods: list[Good]
) -> None:
    rows = np.array([1, 4, 11])
    kept = _filled(tmp_path, goods).batch(rows, CPU)
    made = _maker(goods).batch(rows, CPU)
    halves = {"atol": 2e-2, "rtol": 2e-3}  # the cache holds half floats
    torch.testing.assert_close(kept.features.tokens, made.features.tokens, **halves)
    torch.testing.assert_close(kept.features.lateral, made.features.lateral, **halves)
    for name in ("tokens", "details", "away"):
        torch.testing.assert_close(getattr(kept.prompt, name), getattr(made.prompt, name), **halves)
    for name in ("clean", "mask", "product"):
        torch.testing.assert_close(getattr(kept, name), getattr(made, name), **halves)


@pytest.mark.parametrize("harm", ["cut", "gone", "other"])
def test_a_harmed_cache_is_refused(tmp_path: Path, goods: list[Good], harm: str) -> None:
    _filled(tmp_path, goods)
    path = tmp_path / "lateral.npy"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif harm == "gone":
        path.unlink()
    else:
        np.save(path, np.zeros((3, 3), np.float16))
    with pytest.raises(InputError, match=r"lateral\.npy is missing, cut, or of another run"):
        FeatureCache(tmp_path, ROWS, micro_model(), made=ROWS)


def test_a_disk_without_room_is_told_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("training.cache.shutil.disk_usage", lambda folder: full)
    with pytest.raises(InputError, match="make room"):
        FeatureCache(tmp_path, ROWS, micro_model())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    FeatureCache(tmp_path, ROWS, micro_model())
    monkeypatch.setattr("training.cache.shutil.disk_usage", lambda folder: full)
    begun = FeatureCache(tmp_path, ROWS, micro_model(), made=ROWS - 1)
    with pytest.raises(
        InputError, match=r"the features take 0\.0 GB: make room, .* or take --no-cache"
    ):
        begun.need_room()
    FeatureCache(tmp_path, ROWS, micro_model(), made=ROWS).need_room()


def test_some_of_many_goods_are_taken_from_first_to_last() -> None:
    goods = [Good(i, 0, np.zeros((1, 1, 3), np.uint8)) for i in range(10)]
    assert [g.id for g in spread(goods, 4)] == [0, 2, 5, 7]
    assert spread(goods, 99) == goods


def test_goods_held_out_are_known_to_the_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    picture = lambda *_: (rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8), 50)  # noqa: E731
    monkeypatch.setattr("training.prepare.load_taken", picture)
    samples = [Sample(tmp_path / f"{i}.png", "ab"[i % 2], "train") for i in range(20)]
    goods = read_goods(samples, SIDE, held_out=0.3, seed=0)
    fitted, held_out = ({g.id for g in part} for part in (goods.fitted, goods.held_out))
    assert len(held_out) == 6
    assert fitted.isdisjoint(held_out)
    assert fitted | held_out == set(range(20))
    assert {g.taken_px for g in goods.fitted} == {50}

    model = micro_model()
    with torch.no_grad():
        fit_axes(model, goods.fitted, 0)
        fill_prompt(model, goods, 0)
    for product in range(2):
        owners = set(model.prompt.owner[product].tolist())
        assert owners <= {g.id for g in goods.every if g.product == product}
        assert owners & held_out


def test_a_run_begun_on_a_gpu_is_not_gone_on_with_on_a_cpu(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run", spec())
    run.advance("segmentor", 3)
    fabric = SimpleNamespace(device=CPU)
    with pytest.raises(InputError, match="was begun without a cache, as on a GPU"):
        _rows(micro_model(), Goods([], []), run, report, fabric)
    fabric.device = torch.device(
        "cuda"
    )  # the other way round, as many rows are drawn as there were
    run.advance("cache", 17)
    assert _rows(micro_model(), Goods([], []), run, report, fabric)[1] == 17
