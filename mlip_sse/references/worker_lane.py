"""Start a worker, follow it, end it in time, and go on with the rest of its tasks after the one that it died of."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event
from typing import IO, Any

from mlip_sse.errors import InputError, RunError
from mlip_sse.references.task_folder import TaskFolder, one_line

__all__ = ["run_lane"]

_START_LIMIT_S = 600.0
_POLL_S = 0.2
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_lane(
    spec: dict[str, Any],
    tasks: Sequence[tuple[int, TaskFolder]],
    time_limit_s: float,
    stop: Event,
    finished: Callable[[int], None],
) -> None:
    """Label tasks one after the other in a worker process; a failure is left in the task's error.json.

    Parameters
    ----------
    spec
        The reference's settings as plain data.
    tasks
        Number and folder of each.
    time_limit_s
        For one task.
    stop
        Set from outside to end it early.
    finished
        Called with the number of each task that ended, well or not.

    Raises
    ------
    InputError
        When the worker cannot start: the settings or the installation are wrong, not a structure.
    RunError
        When it dies before it starts, or was stopped.
    """
    left = list(tasks)
    while left:
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
            _Worker(spec, left, errors) as at_work,
        ):
            current: int | None = None
            deadline = time.monotonic() + _START_LIMIT_S
            while True:
                line = at_work.next_line(deadline, stop)
                word, _, rest = (line or "").partition(" ")
                if word == "start":
                    current, deadline = int(rest), time.monotonic() + time_limit_s
                elif word == "done":
                    left, current = [task for task in left if task[0] != int(rest)], None
                    deadline = time.monotonic() + _START_LIMIT_S
                    finished(int(rest))
                elif word == "cannot":
                    raise InputError(rest)
                elif word != "ready":
                    break
            if not left:
                return
            reason = at_work.end(ran_out=line is None, limit_s=time_limit_s)
            if current is None:
                errors.seek(0)
                words = errors.read().strip().splitlines()
                raise RunError(
                    f"the labelling process {reason} before a task: {one_line(words[-1]) if words else 'no word'}"
                )
        by_number = dict(left)
        if not by_number[current].is_done:
            by_number[current].write_error(f"the label {reason}: see {by_number[current].path / 'log'}")
        left = [task for task in left if task[0] != current]
        finished(current)


class _Worker:
    """The process and its pipe, both gone at the end of a ``with`` block."""

    def __init__(self, spec: dict[str, Any], tasks: Sequence[tuple[int, TaskFolder]], errors: IO[str]) -> None:
        orders = {"spec": spec, "tasks": [(number, str(task.path.absolute())) for number, task in tasks]}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlip_sse.references.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env={**{name: "1" for name in _THREADS}, **os.environ},
            start_new_session=True,  # what it starts is ended with it
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RunError("found no pipe to the labelling process, expected one")
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._lines: list[str] = []
        self._rest = b""
        self._gone = False
        with suppress(BrokenPipeError):  # it died at once; its pipe will say so
            self._stdin.write((json.dumps(orders) + "\n").encode())
            self._stdin.flush()

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self._kill()
        self._stdin.close()
        self._stdout.close()

    def next_line(self, deadline: float, stop: Event) -> str | None:
        """Return the next line, an empty one where the process ended, None where time ran out.

        Raises
        ------
        RunError
            When it was stopped from outside.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not self._lines:
                if stop.is_set():
                    raise RunError("labelling was stopped")
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return None
                if not selector.select(min(left_s, _POLL_S)):
                    continue
                data = os.read(self._stdout.fileno(), 65536)
                if not data:
                    return ""
                *lines, self._rest = (self._rest + data).split(b"\n")
                self._lines += [line.decode(errors="replace") for line in lines]
        return self._lines.pop(0)

    def end(self, ran_out: bool, limit_s: float) -> str:
        """End the process and say in words how it went."""
        if ran_out:
            self._kill()
            return f"ran out of time after {limit_s:g} s"
        code = self._process.wait()
        self._kill()
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"

    def _kill(self) -> None:
        """End the process and whatever it started, once."""
        if not self._gone:
            self._gone = True
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
