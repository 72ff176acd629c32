"""A label's folder: named by the sha256 of its inputs, with input.json, log, and result.json or error.json."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import RunError
from mlip_sse.references.backend import Computed

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["ERROR_FILE", "LOG_FILE", "RESULT_FILE", "TaskFolder", "one_line", "task_input"]

INPUT_FILE, RESULT_FILE, ERROR_FILE, LOG_FILE = "input.json", "result.json", "error.json", "log"
_LONGEST_REASON = 400


def task_input(reference: Mapping[str, Any], fingerprint: Fingerprint, atoms: "Atoms") -> dict[str, Any]:
    """Return all that decides a label, as plain data; positions and cell rounded to 1e-8 Å."""
    return {
        "reference": dict(reference),
        "fingerprint": fingerprint.model_dump(mode="json", exclude_none=True),
        "symbols": atoms.get_chemical_symbols(),
        "cell": (np.rint(atoms.cell.array * 1e8) / 1e8 + 0.0).tolist(),
        "positions": (np.rint(atoms.positions * 1e8) / 1e8 + 0.0).tolist(),
        "pbc": atoms.pbc.tolist(),
    }


class TaskFolder:
    """One label's folder.

    Parameters
    ----------
    path
        Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, tasks: Path, inputs: Mapping[str, Any]) -> "TaskFolder":
        """Return the folder of some inputs, made where it is missing."""
        text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
        task = cls(tasks / hashlib.sha256(text.encode()).hexdigest())
        if not (task.path / INPUT_FILE).is_file():
            task.path.mkdir(parents=True, exist_ok=True)
            task._write(INPUT_FILE, inputs)
        return task

    def atoms(self) -> "Atoms":
        """Return the structure that is to be labelled."""
        from ase import Atoms

        inputs = self._read(INPUT_FILE) or {}
        return Atoms(inputs["symbols"], positions=inputs["positions"], cell=inputs["cell"], pbc=inputs["pbc"])

    @property
    def is_done(self) -> bool:
        """Whether it holds a label."""
        return (self.path / RESULT_FILE).is_file()

    def result(self) -> Computed:
        """Return the label.

        Raises
        ------
        RunError
            When it is missing or damaged.
        """
        try:
            data = self._read(RESULT_FILE) or {}
            stress = data["stress"]
            return Computed(
                energy=float(data["energy"]),
                forces=np.array(data["forces"], dtype=float),
                stress=None if stress is None else np.array(stress, dtype=float),
                fingerprint=Fingerprint.parse(data["fingerprint"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            path = self.path / RESULT_FILE
            raise RunError(f"{path}: found no label ({one_line(error)}), remove it to label again") from error

    def error(self) -> str:
        """Return why an earlier attempt failed; empty where none did."""
        try:
            data = self._read(ERROR_FILE)
        except ValueError:
            return ""
        return str(data.get("error", "")) if data else ""

    def write_result(self, computed: Computed) -> None:
        """Put the label in place, at once.

        Raises
        ------
        RunError
            When a number is not finite.
        """
        numbers = {"energy": np.array(computed.energy), "forces": computed.forces}
        if computed.stress is not None:
            numbers["stress"] = computed.stress
        for name, array in numbers.items():
            if not np.isfinite(array).all():
                raise RunError(f"found {array[~np.isfinite(array)].flat[0]} in the {name}, expected finite numbers")
        data = {name: array.tolist() for name, array in numbers.items()}
        stated = computed.fingerprint.model_dump(mode="json", exclude_none=True)
        self._write(RESULT_FILE, {"stress": None, **data, "fingerprint": stated})
        (self.path / ERROR_FILE).unlink(missing_ok=True)

    def write_error(self, reason: str) -> None:
        """Put the reason of a failure in place, at once."""
        self._write(ERROR_FILE, {"error": reason})

    def forget_error(self) -> None:
        """Let the task be tried again."""
        (self.path / ERROR_FILE).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other process works here; the lock ends with the process."""
        with open(self.path / ".lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            data = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if not isinstance(data, dict):
            raise ValueError(f"found a {type(data).__name__}, expected a JSON object")
        return data

    def _write(self, name: str, data: Mapping[str, Any]) -> None:
        part = self.path / f".{name}.{os.getpid()}.part"
        with open(part, "w", encoding="utf-8") as stream:
            json.dump(data, stream, ensure_ascii=False, allow_nan=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, self.path / name)


def one_line(error: BaseException | str) -> str:
    """Return what an error says in one line of bounded length, its type where it says nothing."""
    text = " ".join(str(error).split())
    if isinstance(error, BaseException) and len(text) < 5:
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 3]}..."
