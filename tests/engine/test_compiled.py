"""Compiled models that are kept: taken again, never when damaged, never in anybody's way."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.build import build
from engine.bundle import Bundle
from engine.runtimes import compiled as module
from engine.runtimes.compiled import DAY_S, MOST, compiled, key_of
from engine.runtimes.openvino import OpenVINORuntime
from engine.sealed import SUMS
from tests.engine.tiny import grey_picture


class Compiler:
    """Writes what it is told to keep, and counts."""

    def __init__(self) -> None:
        self.compiled, self.read = 0, 0

    def __call__(self, settings: Mapping[str, Any]) -> str:
        if "CACHE_DIR" not in settings:
            self.compiled += 1
            return "made"
        blob = Path(settings["CACHE_DIR"], "model.blob")
        if blob.is_file():
            self.read += 1
            return blob.read_text()
        self.compiled += 1
        blob.write_text("made")
        return "made"


def test_what_was_compiled_is_taken_again(tmp_path: Path) -> None:
    compiler = Compiler()
    assert [compiled(compiler, tmp_path / "cache", "a") for _ in range(3)] == ["made"] * 3
    assert (compiler.compiled, compiler.read) == (1, 2)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["a"]


@pytest.mark.parametrize("spoilt", ["model.blob", SUMS, "more"])
def test_what_is_damaged_is_compiled_anew(tmp_path: Path, spoilt: str) -> None:
    compiler = Compiler()
    compiled(compiler, tmp_path, "a")
    (tmp_path / "a" / spoilt).write_text("other numbers")
    assert compiled(compiler, tmp_path, "a") == "made"
    assert compiled(compiler, tmp_path, "a") == "made"
    assert (compiler.compiled, compiler.read) == (2, 1)


def test_those_used_longest_ago_go(tmp_path: Path) -> None:
    compiler = Compiler()
    for i in range(MOST):
        compiled(compiler, tmp_path, f"{i}")
        os.utime(tmp_path / f"{i}", (i, i))  # not every kernel tells such short times apart
    compiled(compiler, tmp_path, "0")
    compiled(compiler, tmp_path, "new")
    kept = {path.name for path in tmp_path.iterdir()}
    assert len(kept) == MOST
    assert {"0", "new"} <= kept
    assert "1" not in kept


def test_what_openvino_cannot_read_is_compiled_anew(tmp_path: Path) -> None:
    compiler = Compiler()
    compiled(compiler, tmp_path, "a")

    def picky(settings: Mapping[str, Any]) -> str:
        if Path(settings["CACHE_DIR"], "model.blob").is_file():
            raise RuntimeError("of another build")
        return compiler(settings)

    assert compiled(picky, tmp_path, "a") == "made"
    assert compiler.compiled == 2


def test_a_folder_that_cannot_be_touched_is_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = Compiler()
    compiled(compiler, tmp_path, "a")

    def refused(*_: object) -> None:
        raise PermissionError("another user's")

    monkeypatch.setattr(Path, "touch", refused)
    compiled(compiler, tmp_path, "a")
    assert (compiler.compiled, compiler.read) == (1, 1)


def test_what_a_killed_process_left_is_gone_a_day_later(tmp_path: Path) -> None:
    for name, age_s in ((".new-old", 2 * DAY_S), (".new-now", 0)):
        (tmp_path / name).mkdir()
        then = time.time() - age_s
        os.utime(tmp_path / name, (then, then))
    compiled(Compiler(), tmp_path, "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new-now", "a"]


def test_a_cache_that_cannot_be_used_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the folder's place")
    compiler = Compiler()
    assert compiled(compiler, tmp_path / "cache", "a") == "made"
    assert compiler.compiled == 1


def test_another_process_may_be_first(tmp_path: Path) -> None:
    def slow(settings: Mapping[str, Any]) -> str:
        compiled(Compiler(), tmp_path, "a")
        return Compiler()(settings)

    assert compiled(slow, tmp_path, "a") == "made"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_error_while_compiling_leaves_nothing(tmp_path: Path) -> None:
    def fails(settings: Mapping[str, Any]) -> str:
        Path(settings["CACHE_DIR"], "half").touch()
        raise KeyError("no")

    with pytest.raises(KeyError):
        compiled(fails, tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_a_key_tells_content_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("graph")
    other.write_text("graph")
    assert key_of(one, "f32") == key_of(other, "f32") != key_of(other, "int8")
    other.write_text("another")
    assert key_of(one, "f32") != key_of(other, "f32")
    assert key_of("ab", "c") != key_of("a", "bc")


def test_openvino_answers_the_same_from_it(
    tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = build(tiny.folder, tmp_path / "plan")
    image, code = grey_picture()[None], np.zeros(1, np.int64)
    answers, whole = [], []
    monkeypatch.setattr(module, "_is_whole", _noted(module._is_whole, whole))
    kept = []
    for _ in range(3):
        with OpenVINORuntime(plan / "model.xml", "f32", 1, tmp_path / "cache") as runtime:
            answers.append(runtime.infer(image, code))
        (blob,) = (tmp_path / "cache").rglob("*.blob")
        kept.append((blob, blob.stat().st_mtime_ns))
    assert whole == [False, True, True]
    assert len(set(kept)) == 1
    for first, *others in zip(*answers, strict=True):
        for other in others:
            np.testing.assert_array_equal(first, other)


def _noted(asked: Callable[[Path], bool], answers: list[bool]) -> Callable[[Path], bool]:
    def ask(kept: Path) -> bool:
        answers.append(asked(kept))
        return answers[-1]

    return ask
