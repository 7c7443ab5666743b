"""The doctor says what is, and what to change; it fails only for what a station needs."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspector import doctor
from inspector.cli import app
from inspector.doctor import Finding, Level


@pytest.mark.camera
def test_this_machine() -> None:
    findings = {one.name: one for one in doctor.examine()}
    for needed in ("python", "genicam", "openvino", "onnxruntime", "sqlite", "pixel formats"):
        assert findings[needed].found
    assert findings["genicam"].found == "viky.cti, simulated cameras 0, 1, 2"
    assert findings["openvino"].level is Level.OK
    for one in findings.values():
        assert one.level is Level.OK or one.advice, "what is not well says what to change"


@pytest.mark.parametrize(("level", "code"), [(Level.OK, 0), (Level.WARN, 0), (Level.MISSING, 3)])
def test_the_exit_code_and_the_json_agree(
    level: Level, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding("camera [usb]", level, "found [it]", "change [this]")
    monkeypatch.setattr(doctor, "examine", lambda: iter([finding]))
    machine = CliRunner().invoke(app, ["doctor", "--json"])
    assert machine.exit_code == code
    report = json.loads(machine.stdout)
    assert report["ok"] is (code == 0)
    assert report["findings"] == [
        {"name": finding.name, "level": level, "found": finding.found, "advice": finding.advice}
    ]
    person = CliRunner().invoke(app, ["doctor"])
    assert person.exit_code == code
    for said in (str(level), finding.name, finding.found, finding.advice):
        assert said in person.stdout


def test_a_package_that_does_not_load_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_runtime.py").write_text("raise ImportError('libEGL.so.1: no such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = doctor.loaded("broken_runtime", "numpy", "install it")
    assert found == Finding(
        "broken_runtime", Level.MISSING, "libEGL.so.1: no such file", "install it"
    )


def test_no_tensorrt_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    found = doctor.tensorrt()
    assert (found.level, found.found) == (Level.OK, "not installed")
    assert '"promptmad-inspector[tensorrt]"' in found.advice


def test_network_limits(tmp_path: Path) -> None:
    for name, mtu, state in (("eth0", 1500, "up"), ("eth1", 9000, "up"), ("eth2", 1500, "down")):
        (tmp_path / "net" / name).mkdir(parents=True)
        (tmp_path / "net" / name / "mtu").write_text(f"{mtu}\n")
        (tmp_path / "net" / name / "operstate").write_text(f"{state}\n")
    (tmp_path / "net" / "bonding_masters").touch()
    (tmp_path / "rmem_max").write_text("212992\n")
    small, jumbo, buffer = doctor.network(tmp_path / "net", tmp_path / "rmem_max")
    assert (small.name, small.level, small.found) == ("MTU eth0", Level.WARN, "1500")
    assert "ip link set eth0 mtu 9000" in small.advice
    assert (jumbo.level, jumbo.advice) == (Level.OK, "")
    assert (buffer.level, buffer.found) == (Level.WARN, "212992")
    assert not list(doctor.network(tmp_path / "none", tmp_path / "none"))


def test_an_old_sqlite_is_a_warning() -> None:
    assert doctor.sqlite((3, 51, 2)).level is Level.WARN
    assert "3.51.3" in doctor.sqlite((3, 40, 1)).advice
    assert doctor.sqlite((3, 51, 3)) == Finding("sqlite", Level.OK, "3.51.3")


def test_a_display() -> None:
    assert doctor.display("linux", {}).level is Level.WARN
    assert doctor.display("linux", {"DISPLAY": ":0"}).found == "DISPLAY=:0"
    assert doctor.display("win32", {}).level is Level.OK


def test_the_cache_folder_need_not_exist_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "not" / "yet"
    assert doctor.cache_folder(folder).level is Level.OK
    assert not folder.exists()
    monkeypatch.setattr("os.access", lambda *_: False)
    assert doctor.cache_folder(folder).level is Level.MISSING
