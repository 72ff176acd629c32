"""The process that does tasks: told on standard input what to be, then which folder is next, one line of JSON each.

It answers on the pipe it was started with, one line at each step: ``ready`` or ``cannot REASON``; for each task
``waits`` where another process holds it, ``starts``, and ``done``, ``failed`` or ``disk REASON``. Whatever the codes
print goes into the log of the task they are at.
"""

import errno
import json
import os
import select
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from mlip_sse.engine.task_folder import TaskFolder
    from mlip_sse.engine.work import Run

__all__ = ["main"]

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def main() -> int:
    """Do the tasks that standard input names."""
    say = _private_output()
    orders = _Orders()
    first = orders.next()
    if first is None:
        return 0
    from mlip_sse.engine.task_folder import TaskFolder, one_line
    from mlip_sse.engine.work import find_start

    try:
        run = find_start(first["start"])(first["settings"])
    except Exception as error:
        traceback.print_exc()
        say(f"cannot {one_line(error)}")
        return 1
    say("ready")
    while (order := orders.next(first["idle_limit_s"])) is not None:
        try:
            word = _do(TaskFolder(Path(order["folder"])), run, say)
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            say(f"disk {one_line(error)}")
        else:
            say(word)
    return 0


class _Orders:
    """Lines of JSON from standard input, read without a buffer of Python's, so that they can be waited for."""

    def __init__(self) -> None:
        self._rest = b""

    def next(self, limit_s: float | None = None) -> dict[str, Any] | None:
        """Return the next order; None when there will be no more, or none came within the limit."""
        while b"\n" not in self._rest:
            if not select.select([0], [], [], limit_s)[0]:
                return None
            data = os.read(0, 65536)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order


def _do(task: "TaskFolder", run: "Run", say: Callable[[str], None]) -> str:
    from mlip_sse.engine.task_folder import LOG_FILE, one_line
    from mlip_sse.errors import InputError

    with task.locked(waiting=lambda: say("waits")):
        say("starts")
        if task.is_done:  # another process was faster
            return "done"
        task.clear_halves()
        os.chdir(task.path)
        log = os.open(LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        try:
            task.write_result(run(task.inputs(), task.path))
            return "done"
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _DISK_FULL:
                raise
            traceback.print_exc()
            task.write_failure(one_line(error), "refused" if isinstance(error, InputError) else "raised")
            return "failed"
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def _private_output() -> Callable[[str], None]:
    """Keep the pipe to the parent for ourselves; what others print goes to standard error until a task has its log."""
    pipe: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(line: str) -> None:
        pipe.write(line + "\n")
        pipe.flush()

    return say


if __name__ == "__main__":
    sys.exit(main())
