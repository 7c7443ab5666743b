"""A sealed folder is replaced whole or not at all, and nothing is put into one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.archive import pack, unpack
from engine.build import build
from engine.bundle import Bundle, read_bundle
from engine.plan import PLAN, read_plan
from engine.sealed import SUMS, new_folder, require_unsealed, seal
from engine.signature import make_keys
from engine.types import InputError


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A sealed folder that was there before."""
    folder = tmp_path / "home" / "kept"
    folder.mkdir(parents=True)
    (folder / PLAN).write_text("old")
    seal(folder)
    return folder


def _replace(target: Path) -> None:
    with new_folder(target, overwrite=True, marker=PLAN) as new:
        (new / PLAN).write_text("new")
        seal(new)


def _refusing(name: str, error: BaseException) -> Callable[[Path, Path], Path]:
    """``Path.replace`` that fails for what is called ``name``."""
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name == name:
            raise error
        return replace(self, target)

    return refuse


def test_a_folder_is_replaced_and_nothing_is_left_over(kept: Path) -> None:
    _replace(kept)
    assert (kept / PLAN).read_text() == "new"
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize("error", [PermissionError(13, "Access is denied"), KeyboardInterrupt()])
def test_the_old_folder_comes_back_where_the_new_one_cannot_be_renamed(
    kept: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(Path, "replace", _refusing("new", error))
    with pytest.raises((InputError, KeyboardInterrupt)):
        _replace(kept)
    assert (kept / PLAN).read_text() == "old"
    assert list(kept.parent.iterdir()) == [kept]


def test_an_old_folder_that_cannot_come_back_is_said_where_it_is(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = Path.replace, []

    def only_once(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) > 1:
            raise PermissionError(13, "Access is denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", only_once)
    with pytest.raises(InputError, match=r"could not be replaced \(Access is denied\)") as said:
        _replace(kept)
    (old,) = kept.parent.glob("*/kept")
    assert str(old) in str(said.value)
    assert (old / PLAN).read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="links take rights on Windows")
def test_a_link_comes_back_too(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = kept.with_name("current")
    link.symlink_to(kept.name)
    monkeypatch.setattr(Path, "replace", _refusing("new", PermissionError(13, "Access is denied")))
    with pytest.raises(InputError, match="cannot be written: Access is denied"):
        _replace(link)
    assert link.is_symlink()
    assert (link / PLAN).read_text() == "old"


def test_an_empty_folder_is_still_there_after_a_failure(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "room", False, PLAN):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["room"]


def test_no_place_of_its_own_is_told_before_it_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place in (".", "..", "/", "elsewhere/..", str(Path.cwd())):
        said = pytest.raises(InputError, match="what this runs in: name a new folder")
        with said, new_folder(Path(place), True, PLAN):
            pytest.fail("it was opened")
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("below", ["plan", "runs/2026/plan"])
def test_no_plan_is_built_into_its_bundle(own_bundle: Path, below: str) -> None:
    with pytest.raises(InputError, match="would lie in the bundle itself"):
        build(own_bundle, own_bundle / below)
    assert read_bundle(own_bundle).manifest.name == "tiny"


def test_nothing_is_put_into_a_plan(tiny: Bundle, tmp_path: Path) -> None:
    plan = build(tiny.folder, tmp_path / "plan", steps=0)
    packed = pack(tiny.folder, tmp_path / "tiny.zip")
    calls: list[Callable[[], object]] = [
        lambda: build(tiny.folder, plan / "again"),
        lambda: unpack(packed, plan / "bundle"),
        lambda: pack(tiny.folder, plan / "tiny.zip"),
        lambda: make_keys(plan / "key.pem"),
    ]
    for call in calls:
        with pytest.raises(InputError, match="would lie in the plan itself"):
            call()
    assert read_plan(plan).manifest.steps == 0


def test_sums_of_other_things_seal_nothing(tmp_path: Path, kept: Path) -> None:
    """As they lie beside downloads."""
    (tmp_path / SUMS).write_text(f"{'0' * 64}  b.zip\n")
    require_unsealed(tmp_path)
    with pytest.raises(InputError, match="would lie in the plan itself"):
        require_unsealed(kept)


def test_a_folder_that_may_not_be_looked_into_is_told(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as context:
        context.setattr(os, "scandir", locked)
        with pytest.raises(InputError, match="cannot be read: Permission denied; make it readable"):
            read_bundle(own_bundle)
    with monkeypatch.context() as context:
        context.setattr(Path, "read_text", lambda *_, **__: locked(None))
        with pytest.raises(InputError, match="cannot be read: Permission denied; make it readable"):
            read_bundle(own_bundle)
