"""A task's folder: named by the sha256 of its inputs, with input.json, log, and result.json or error.json.

``result.json`` is put in place by one rename, on the disk by then: where it is, the task is done, and no power cut or
``kill -9`` leaves half of it. A failure leaves ``error.json`` with the reason and the number of attempts.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import uuid4

from mlip_sse.errors import InputError, RunError

__all__ = [
    "ERROR_FILE",
    "INPUT_FILE",
    "LOG_FILE",
    "RESULT_FILE",
    "FailureKind",
    "TaskFailure",
    "TaskFolder",
    "canonical_text",
    "one_line",
    "quarantined",
    "release",
    "task_id",
]

INPUT_FILE, RESULT_FILE, ERROR_FILE, LOG_FILE = "input.json", "result.json", "error.json", "log"

FailureKind = Literal["refused", "raised", "died", "time", "lost"]
"""Refused by its own inputs; an exception; a crash of its process; out of time; its worker vanished under it."""

_LONGEST_REASON = 400
_TRIED_AGAIN = frozenset({"raised", "died", "lost"})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
"""What file systems without locks answer; results are atomic, so that a task done twice there is only a waste."""


def canonical_text(inputs: Mapping[str, Any]) -> str:
    """Return plain data as JSON with sorted keys and no blanks.

    Raises
    ------
    InputError
        When it holds something else than plain finite data.
    """
    try:
        return json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"found a task's inputs that are not plain finite data ({one_line(error)})") from error


def task_id(inputs: Mapping[str, Any]) -> str:
    """Return the sha256 of the canonical text of some inputs: the name of their folder."""
    return hashlib.sha256(canonical_text(inputs).encode()).hexdigest()


@dataclass(frozen=True)
class TaskFailure:
    """Why a task has no result.

    Parameters
    ----------
    reason
        One line.
    kind
        How it failed.
    attempts
        How often.
    """

    reason: str
    kind: FailureKind = "raised"
    attempts: int = 1

    def may_be_tried(self, retries: int) -> bool:
        """Whether another attempt may end better: inputs that were refused and time that ran out stay what they are."""
        return self.kind in _TRIED_AGAIN and self.attempts <= retries


class TaskFolder:
    """One task's folder.

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
        task = cls(tasks / task_id(inputs))
        if not (task.path / INPUT_FILE).is_file():
            task.path.mkdir(parents=True, exist_ok=True)
            task._write(INPUT_FILE, inputs)
        return task

    def inputs(self) -> dict[str, Any]:
        """Return all that decides the task.

        Raises
        ------
        RunError
            When they are missing or damaged.
        """
        return self._required(INPUT_FILE)

    @property
    def is_done(self) -> bool:
        """Whether it holds a result."""
        return (self.path / RESULT_FILE).is_file()

    def result(self) -> dict[str, Any]:
        """Return the result.

        Raises
        ------
        RunError
            When it is missing or damaged.
        """
        return self._required(RESULT_FILE)

    def failure(self) -> TaskFailure | None:
        """Return why earlier attempts failed; None where none did."""
        try:
            data = self._read(ERROR_FILE) or {}
        except (OSError, ValueError):
            return None
        if not data.get("error"):
            return None
        kind: FailureKind = data["kind"] if data.get("kind") in get_args(FailureKind) else "raised"
        attempts = data.get("attempts")
        return TaskFailure(str(data["error"]), kind, attempts if isinstance(attempts, int) else 1)

    def write_result(self, data: Mapping[str, Any]) -> None:
        """Put the result in place, at once.

        Raises
        ------
        RunError
            When a number is not finite, or something is not plain data.
        """
        for path, number in _not_finite(data):
            raise RunError(f"found {number} in the {path}, expected finite numbers")
        try:
            json.dumps(data)
        except (TypeError, ValueError) as error:
            raise RunError(f"found a result that is not plain data: {one_line(error)}") from error
        self._write(RESULT_FILE, data)
        with suppress(FileNotFoundError):
            (self.path / ERROR_FILE).unlink()

    def write_failure(self, reason: str, kind: FailureKind) -> TaskFailure:
        """Put the reason of one more failed attempt in place, at once."""
        before = self.failure()
        failure = TaskFailure(reason, kind, 1 + (before.attempts if before else 0))
        self._write(ERROR_FILE, {"error": reason, "kind": kind, "attempts": failure.attempts})
        return failure

    def clear_halves(self) -> None:
        """Remove what writers of a result left that were killed; only for who holds the lock."""
        for half in self.path.glob(f".{RESULT_FILE}.*.part"):
            half.unlink(missing_ok=True)

    def forget_failure(self) -> None:
        """Let the task be tried again, as if it never had been."""
        with suppress(FileNotFoundError):
            (self.path / ERROR_FILE).unlink()

    @contextmanager
    def locked(self, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Wait until no other process works here; the lock ends with the process.

        Parameters
        ----------
        waiting
            Called once where another process holds the task.
        """
        with open(self.path / ".lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            yield

    def _required(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            data = self._read(name)
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: cannot be read ({one_line(error)}), remove its folder to do it again") from error
        if data is None:
            raise RunError(f"{path}: found no such file, expected one")
        return data

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            data = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if not isinstance(data, dict):
            raise ValueError(f"found a {type(data).__name__}, expected a JSON object")
        return data

    def _write(self, name: str, data: Mapping[str, Any]) -> None:
        part = self.path / f".{name}.{uuid4().hex}.part"
        try:
            with open(part, "w", encoding="utf-8") as stream:
                json.dump(data, stream, ensure_ascii=False, allow_nan=False)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, self.path / name)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def quarantined(tasks: str | Path) -> tuple[tuple[TaskFolder, TaskFailure], ...]:
    """Return the tasks of a folder that failed and have no result, in the order of their ids."""
    found = []
    for path in sorted(Path(tasks).glob(f"*/{ERROR_FILE}")):
        task = TaskFolder(path.parent)
        failure = task.failure()
        if failure is not None and not task.is_done:
            found.append((task, failure))
    return tuple(found)


def release(tasks: Iterable[TaskFolder]) -> None:
    """Let failed tasks be tried again."""
    for task in tasks:
        task.forget_failure()


def one_line(error: BaseException | str) -> str:
    """Return what an error says in one line of bounded length, its type where it says nothing."""
    text = " ".join(str(error).split())
    if isinstance(error, BaseException) and len(text) < 5:
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 3]}..."


def _not_finite(data: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Find the numbers that JSON cannot hold, each with the keys that lead to it."""
    if isinstance(data, float):
        if data != data or data in (float("inf"), float("-inf")):
            yield path or "result", data
    elif isinstance(data, Mapping):
        for key, item in data.items():
            yield from _not_finite(item, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _not_finite(item, path)
