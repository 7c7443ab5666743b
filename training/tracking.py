"""Where a run's figures go: TensorBoard always, and MLflow where somebody keeps one."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from engine.types import InputError, MissingError
from training.run import Run, leaves

KEPT = "mlflow.json"
EXPERIMENT = "promptmad-inspector"


class Log(Protocol):
    """What takes the figures of a step."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None: ...


class Logs:
    """Several as one."""

    def __init__(self, *logs: Log) -> None:
        self._logs = logs

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        for log in self._logs:
            log.log_metrics(metrics, step)


@contextmanager
def log_of(run: Run, stage: str) -> Iterator[Log]:
    """``RUN/log/<stage>`` for TensorBoard, where a resumed stage goes on in a file of its own; and
    the run's MLflow, if it has one and this process writes."""
    board = TensorBoardLogger(run.folder, name="log", version=stage)
    logs: list[Log] = [board]
    if run.mlflow and run.writes:
        logs.append(Mlflow(run, stage))
    try:
        yield Logs(*logs)
    finally:
        board.finalize("success")


def finished(run: Run) -> None:
    """A run that came to its end is one there, too; one that was stopped may go on."""
    if run.mlflow and run.writes:
        Mlflow(run, "").finish()


class Mlflow:
    """One MLflow run for each of ours, under its folder's name; figures under their stage's name.

    Its id stands in RUN/mlflow.json, so that a resumed run goes on in the same one.
    """

    def __init__(self, run: Run, stage: str) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise MissingError(
                "MLflow is not installed: pip install 'promptmad-inspector[mlflow]'."
            ) from error
        self._stage, self._lost, self._error = stage, False, mlflow.MlflowException
        try:
            self._client: Any = mlflow.MlflowClient(tracking_uri=run.mlflow)
            self._id = self._run_id(run)
        except (OSError, self._error) as error:
            raise InputError(f"MLflow at {run.mlflow} takes no run: {error}") from error

    def finish(self) -> None:
        """The run there has its end."""
        try:
            self._client.set_terminated(self._id)
        except (OSError, self._error) as error:
            warnings.warn(f"MLflow is lost, it will not know the end: {error}", stacklevel=2)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """A tracking server that goes away in mid-run is said once, and training goes on."""
        if self._lost:
            return
        try:
            for name, value in metrics.items():
                self._client.log_metric(self._id, f"{self._stage}/{name}", value, step=step)
        except (OSError, self._error) as error:
            self._lost = True
            warnings.warn(f"MLflow is lost, this stage goes on without: {error}", stacklevel=2)

    def _run_id(self, run: Run) -> str:
        kept = run.noted(KEPT)
        if kept.get("uri") == run.mlflow:
            return str(kept["run_id"])
        found = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)
        made = self._client.create_run(experiment, run_name=run.folder.resolve().name)
        for name, value in leaves(run.spec.model_dump(mode="json")).items():
            self._client.log_param(made.info.run_id, name, value)
        run.note(KEPT, {"uri": run.mlflow, "run_id": made.info.run_id})
        return str(made.info.run_id)
