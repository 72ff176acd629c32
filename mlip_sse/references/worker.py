"""The process that labels: reads its orders as one line of JSON, then labels folder after folder.

It prints one line at each step on the pipe it was started with (``ready``, ``start N``, ``done N``, or ``cannot
REASON``); whatever the codes print goes into the log of the task they are at. When the parent dies, its end of the
pipe closes, and the worker ends with all it started.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

__all__ = ["main"]


def main() -> int:
    """Label the folders that standard input names."""
    say = _private_output()
    orders = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()

    from mlip_sse.references.backend import backend_of
    from mlip_sse.references.specs import REFERENCES
    from mlip_sse.references.task_folder import TaskFolder, one_line

    spec = REFERENCES[orders["spec"]["kind"]].parse(orders["spec"])
    try:
        label = backend_of(orders["spec"]["kind"]).start(spec)
    except Exception as error:
        traceback.print_exc()
        say(f"cannot {one_line(error)}")
        return 1
    say("ready")
    for number, path in orders["tasks"]:
        say(f"start {number}")
        _label_one(TaskFolder(Path(path)), label)
        say(f"done {number}")
    return 0


def _label_one(task, label) -> None:  # type: ignore[no-untyped-def]  # its types come with heavy imports
    from mlip_sse.references.task_folder import LOG_FILE, one_line

    with task.locked():
        if task.is_done:  # another process was faster
            return
        os.chdir(task.path)
        log = os.open(LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        try:
            task.write_result(label(task.atoms(), task.path))
        except Exception as error:
            traceback.print_exc()
            task.write_error(one_line(error))
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


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
