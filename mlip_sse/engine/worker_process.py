"""A worker process as its caller sees it: started under a keeper, asked, listened to, ended with all it started."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlip_sse.engine import keeper
from mlip_sse.engine.task_folder import one_line
from mlip_sse.errors import RunError

__all__ = ["StoppedError", "WorkerProcess"]

_POLL_S = 0.2
_KEEPER_ENDS_WITHIN_S = 15.0
_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class StoppedError(RunError):
    """The caller asked to stop."""


class WorkerProcess:
    """A process that does tasks of one work, one at a time.

    Parameters
    ----------
    start, settings
        What the worker is to be.
    threads
        For numerical libraries; None: one, unless the environment says otherwise.
    idle_limit_s
        After so long without a task it leaves and frees its memory.
    """

    def __init__(self, start: str, settings: Mapping[str, Any], threads: int | None, idle_limit_s: float) -> None:
        given = {} if threads is None else {name: str(threads) for name in _THREADS}
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        lifeline, self._lifeline = os.pipe()
        command = [sys.executable, "-P", "-m", "mlip_sse.engine.worker"]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(keeper.__file__).resolve()), str(lifeline), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            env={**dict.fromkeys(_THREADS, "1"), **os.environ, **given},
            pass_fds=(lifeline,),
            start_new_session=True,  # Ctrl-C is for the caller, who then ends us
        )
        os.close(lifeline)
        if self._process.stdin is None or self._process.stdout is None:
            raise RunError("found no pipe to the worker process, expected one")
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._lines: list[str] = []
        self._rest = b""
        self._cutting = threading.Lock()
        self.is_cut = False
        self.busy = threading.Lock()
        self.send({"start": start, "settings": settings, "idle_limit_s": idle_limit_s})

    def send(self, order: Mapping[str, Any]) -> None:
        """Give it an order; where it is gone, what it says next tells."""
        with suppress(BrokenPipeError):
            self._stdin.write((json.dumps(order) + "\n").encode())

    def next_line(self, deadline: float, is_stopped: Callable[[], bool]) -> str | None:
        """Return the next line, an empty one where the process ended, None where time ran out.

        Raises
        ------
        StoppedError
            When the caller is to stop.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not self._lines:
                if is_stopped():
                    raise StoppedError("it was stopped")
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

    def last_words(self) -> str:
        """Return the last line it wrote to standard error before its first task."""
        self._errors.seek(0)
        words = self._errors.read().strip().splitlines()
        return one_line(words[-1]) if words else "no word"

    def exit_in_words(self) -> str:
        """Wait until it has ended, and say how it went."""
        code = self._wait()
        code = code if code >= 0 else 128 - code  # the keeper itself was killed, and its worker with it
        if code > 128 and code - 128 in set(signal.Signals):
            return f"died of {signal.Signals(code - 128).name}"
        return f"left with exit code {code}"

    @property
    def left_well(self) -> bool:
        """Whether it ended by itself with nothing left to do."""
        return self._wait() == 0

    def cut(self) -> None:
        """End it and whatever it started; safe from another thread, which hears of it as of any other end."""
        with self._cutting:
            if not self.is_cut:
                self.is_cut = True
                os.close(self._lifeline)
        self._wait()

    def end(self) -> None:
        """End it and whatever it started; more than once does no harm."""
        self.cut()
        for stream in (self._stdin, self._stdout, self._errors):
            with suppress(OSError):
                stream.close()

    def _wait(self) -> int:
        try:
            return self._process.wait(_KEEPER_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its worker dies with it
            return self._process.wait()
