"""What watches a training: the learning curve, the best weights, checkpoints that survive a kill, early stopping.

Checkpoints are written between epochs, when the running weights and their average lie where they belong, under a
temporary name that is then put in place.
"""

import csv
import io
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.potentials.equivariant.network import weights_bytes

__all__ = ["BEST_FILE", "CHECKPOINT_FILE", "CURVE_FILE", "WATCH", "make_watch", "write_whole"]

CHECKPOINT_FILE = "last.ckpt"
BEST_FILE = "best.npz"
CURVE_FILE = "learning_curve.csv"
WATCH = "Watch"
"""The key of this callback's state in a checkpoint."""

_SMALLEST_GAIN = 1e-3
"""Share of the error; a smaller gain does not put off early stopping."""

_COLUMNS = (
    "epoch",
    "cpu_s",
    "learning_rate",
    "training_force_mae_mev_a",
    "validation_force_mae_mev_a",
    "validation_energy_mae_mev_atom",
)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place at once."""
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    part.write_bytes(content)
    os.replace(part, path)


def make_watch(
    folder: Path, origin: Mapping[str, Any], patience: int, report: Callable[[int, str], None] | None
) -> Any:
    """Return the Lightning callback of one training.

    Parameters
    ----------
    folder
        Where checkpoint, best weights and curve go.
    origin
        Plain data kept in the checkpoint: versions and what is trained.
    patience
        Epochs without a better validation error before training stops.
    report
        Called with the number of epochs done and a line to show.
    """
    from lightning.pytorch import Callback

    class Watch(Callback):  # type: ignore[misc]
        """Curve, best weights, checkpoint, early stopping."""

        def __init__(self) -> None:
            self.rows: list[list[float]] = []
            self.best = float("inf")
            self.gain: tuple[int, float] = (-1, float("inf"))  # the last epoch that got better by more than nothing
            self.cpu_before = 0.0
            self.cpu_start = time.process_time()

        @property
        def state_key(self) -> str:
            return WATCH

        def state_dict(self) -> dict[str, Any]:
            kept = {"rows": self.rows, "best": self.best, "gain": list(self.gain)}
            return {**kept, "cpu_s": self.cpu_s, "origin": dict(origin)}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self.rows = [list(row) for row in state_dict["rows"]]
            self.best = float(state_dict["best"])
            self.gain = (int(state_dict["gain"][0]), float(state_dict["gain"][1]))
            self.cpu_before, self.cpu_start = float(state_dict["cpu_s"]), time.process_time()

        @property
        def cpu_s(self) -> float:
            return self.cpu_before + time.process_time() - self.cpu_start

        def on_validation_end(self, trainer: Any, module: Any) -> None:
            # Lightning calls this before the module swaps its running weights back: the model holds the average.
            force_error = _metric(trainer, "val0_epoch/forces_mae")
            if force_error < (1 - _SMALLEST_GAIN) * self.gain[1]:
                self.gain = (trainer.current_epoch, force_error)
            if force_error < self.best:
                self.best = force_error
                write_whole(folder / BEST_FILE, weights_bytes(_weights_of(module)))

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            force_error = _metric(trainer, "val0_epoch/forces_mae")
            energy_error = _metric(trainer, "val0_epoch/per_atom_energy_mae")
            epoch = trainer.current_epoch + 1
            rate = float(trainer.optimizers[0].param_groups[0]["lr"])
            trained = float(module.train_metrics["forces_mae"].compute())
            row = [epoch, round(self.cpu_s, 2), rate, 1e3 * trained, 1e3 * force_error, 1e3 * energy_error]
            self.rows.append([float(value) for value in row])
            if trainer.current_epoch - self.gain[0] >= patience:
                trainer.should_stop = True
            _write_curve(folder / CURVE_FILE, self.rows)
            _write_checkpoint(folder, trainer)
            if report is not None:
                report(epoch, f"validation {1e3 * force_error:.1f} meV/Å, {1e3 * energy_error:.2f} meV/atom")

    return Watch()


def _weights_of(module: Any) -> dict[str, NDArray[Any]]:
    state = module.model["sole_model"].state_dict()
    return {name: np.array(value.detach().cpu().numpy()) for name, value in state.items()}


def _write_checkpoint(folder: Path, trainer: Any) -> None:
    """Put a checkpoint in place at once: training may be killed at any moment."""
    part = folder / f".part-{CHECKPOINT_FILE}"
    trainer.save_checkpoint(part, weights_only=False)
    os.replace(part, folder / CHECKPOINT_FILE)


def _metric(trainer: Any, name: str) -> float:
    value = trainer.callback_metrics.get(name)
    return float("nan") if value is None else float(value)


def _write_curve(path: Path, rows: list[list[float]]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([[int(row[0]), *(f"{value:.6g}" for value in row[1:])] for row in rows])
    write_whole(path, stream.getvalue().encode())
