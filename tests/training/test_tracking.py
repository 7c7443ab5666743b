"""Figures of a run in MLflow: a real client on a store in a folder."""

from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun

from engine.types import InputError
from tests.training.test_run import FitLine, Line, draw, report, spec
from training.fit import fit
from training.run import open_run
from training.tracking import EXPERIMENT, finished


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setattr("training.fit.LOG_EVERY", 1)
    monkeypatch.setattr("training.fit.CHECKPOINT_EVERY", 5)
    return (tmp_path / "store").as_uri()


def _there(client: MlflowClient) -> list[MlflowRun]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def _fit(folder: Path, uri: str, stage: FitLine, steps: int = 20) -> None:
    run = open_run(folder, spec())
    run.mlflow = uri
    fit(stage, Line(), draw, run, steps, 1.0, report)


def test_a_killed_and_resumed_run_is_one_run_there(tmp_path: Path, uri: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        _fit(tmp_path / "a run", uri, FitLine(stop_at=13))
    _fit(tmp_path / "a run", uri, FitLine())
    client = MlflowClient(tracking_uri=uri)
    [found] = _there(client)
    assert found.info.run_name == "a run"
    assert found.data.params["config.model.neck_dim"] == "16"
    history = client.get_metric_history(found.info.run_id, "line/loss")
    assert {m.step for m in history} == set(range(20))
    assert np.isfinite([m.value for m in history]).all()


def test_a_run_that_ended_has_an_end_there(tmp_path: Path, uri: str) -> None:
    client, run = MlflowClient(tracking_uri=uri), open_run(tmp_path / "run", spec())
    for end, status in ((lambda _: None, "RUNNING"), (finished, "FINISHED")):
        run.mlflow = uri
        fit(FitLine(), Line(), draw, run, 3, 1.0, report)
        end(run)
        [found] = _there(client)
        assert found.info.status == status
    assert found.info.end_time
    quiet = open_run(tmp_path / "quiet", spec())
    finished(quiet)  # nobody asked
    assert len(_there(client)) == 1


def test_nothing_is_sent_where_nobody_asked(tmp_path: Path, uri: str) -> None:
    _fit(tmp_path / "run", "", FitLine())
    assert not _there(MlflowClient(tracking_uri=uri))
    assert not (tmp_path / "run" / "mlflow.json").exists()


def test_a_store_that_takes_no_run_is_named(tmp_path: Path, uri: str) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    with pytest.raises(InputError, match=r"MLflow at .*file takes no run"):
        _fit(tmp_path / "run", (tmp_path / "file").as_uri(), FitLine())


def test_a_store_that_goes_away_does_not_end_the_training(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        from mlflow import MlflowException

        raise MlflowException("connection refused")

    monkeypatch.setattr(MlflowClient, "log_metric", gone)
    stage = FitLine()
    with pytest.warns(UserWarning, match="MLflow is lost, this stage goes on without"):
        _fit(tmp_path / "run", uri, stage)
    assert stage.seen == 20
