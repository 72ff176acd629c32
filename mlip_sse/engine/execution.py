"""Do one task in a worker process: the function that every lane runs, in a thread here or on a node of a cluster.

The worker stays for the next task of the same work on the same thread, so that what is slow to import or to load is
loaded once. An order and its answer are plain data.
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlip_sse.engine.task_folder import TaskFolder
from mlip_sse.engine.worker_process import StoppedError, WorkerProcess

__all__ = ["Answer", "Order", "do_task", "end_workers", "request_stop"]

START_LIMIT_S = 600.0
_STOP_POLL_S = 1.0

State = Literal["done", "failed", "lost", "cannot", "disk", "stopped"]


@dataclass(frozen=True)
class Order:
    """One task to do.

    Parameters
    ----------
    folder
        Its folder; the result or the error is left there.
    start, settings, time_limit_s
        How: see `Work`.
    threads
        For numerical libraries; None: one, unless the environment says otherwise.
    stop_file
        Where this file is, nothing is begun any more and what runs is ended.
    scope
        Whose worker processes they are; `end_workers` ends those of a scope.
    idle_limit_s
        How long a worker process waits for another task.
    """

    folder: str
    start: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    time_limit_s: float = 3600.0
    threads: int | None = None
    stop_file: str = ""
    scope: str = ""
    idle_limit_s: float = 600.0


@dataclass(frozen=True)
class Answer:
    """How it went: done, failed (its folder says why), lost, cannot (no such worker starts), disk full, or stopped."""

    state: State
    reason: str = ""


def do_task(order: dict[str, Any]) -> dict[str, Any]:
    """Do one task, given and answered as plain data; see `Order` and `Answer`."""
    return asdict(_do(Order(**order)))


def _do(order: Order) -> Answer:
    stop = _StopSign(order.stop_file)
    try:
        if stop.is_set() or order.scope in _ENDED_SCOPES:
            return Answer("stopped")
        answer = _attempt(order, stop)
        # A worker that had left for want of work is no news; the second attempt starts another.
        return _attempt(order, stop) or Answer("lost", "the worker process left twice") if answer is None else answer
    except StoppedError:
        _leave_worker()
        return Answer("stopped")


def _attempt(order: Order, stop: "_StopSign") -> Answer | None:
    """Send the order to this thread's worker; None where it turned out to have left before."""
    worker, is_new = _worker_for(order)
    with worker.busy:
        return _listen(order, worker, is_new, stop)


def _listen(order: Order, worker: WorkerProcess, is_new: bool, stop: "_StopSign") -> Answer | None:
    task = TaskFolder(Path(order.folder))
    worker.send({"folder": order.folder})
    begun = False
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        line = worker.next_line(deadline, stop.is_set)
        word, _, rest = (line or "").partition(" ")
        if word == "starts":
            begun, deadline = True, time.monotonic() + order.time_limit_s
        elif word == "waits":
            deadline = time.monotonic() + order.time_limit_s + START_LIMIT_S
        elif word in ("done", "failed"):
            return Answer("done" if word == "done" else "failed")
        elif word == "disk":
            return Answer("disk", rest)
        elif word == "cannot":
            _leave_worker()
            return Answer("cannot", rest)
        elif word != "ready":
            break
    return _after_the_end(order, task, worker, line is None, begun, is_new)


def _after_the_end(
    order: Order, task: TaskFolder, worker: WorkerProcess, ran_out: bool, begun: bool, is_new: bool
) -> Answer | None:
    """Say what became of a task whose worker is silent or gone, and leave it in its folder where it is its own."""
    try:
        if worker.is_cut:
            return Answer("stopped")
        if not begun and not ran_out and not is_new and worker.left_well:
            return None
        how = f"ran out of time after {order.time_limit_s:g} s" if ran_out else worker.exit_in_words()
        if not begun:
            waited = "was not ready, or the task not free, in time" if ran_out else how
            return Answer("lost", f"the worker process {waited} before a task: {worker.last_words()}")
    finally:
        _leave_worker()
    if task.is_done:
        return Answer("done")
    task.write_failure(f"the task {how}: see {task.path / 'log'}", "time" if ran_out else "died")
    return Answer("failed")


class _StopSign:
    """A file that says stop, looked at once a second; in the same process, at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._next_look = 0.0

    def is_set(self) -> bool:
        if self._path in _STOPPED or (_IN_A_POOL and os.getppid() != _PARENT):
            return True
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + _STOP_POLL_S
        return bool(self._path) and os.path.exists(self._path)


_PARENT = os.getppid()
_IN_A_POOL = "PARSL_WORKER_RANK" in os.environ  # whose workers live on while they are busy when their manager died
_STOPPED: set[str] = set()
_ENDED_SCOPES: set[str] = set()
_HERE = threading.local()
_WORKERS: dict[str, set[WorkerProcess]] = {}
_WORKERS_LOCK = threading.Lock()


def request_stop(stop_file: Path) -> None:
    """Stop the orders that carry this stop file, wherever they are."""
    from contextlib import suppress

    _STOPPED.add(str(stop_file))
    with suppress(OSError):  # a full disk must not keep what runs here from stopping
        stop_file.touch()


def end_workers(scope: str) -> None:
    """End the worker processes of a scope in this process, for good; tasks they were at are stopped, not failed."""
    with _WORKERS_LOCK:
        _ENDED_SCOPES.add(scope)
        ended = _WORKERS.pop(scope, set())
    for worker in ended:
        worker.cut()
        with worker.busy:  # until the thread that waits for its word has heard
            worker.end()


def _worker_for(order: Order) -> tuple[WorkerProcess, bool]:
    """Return this thread's worker for an order, and whether it is new."""
    key = (order.start, repr(sorted(order.settings.items())), order.threads, order.scope)
    held: tuple[Any, WorkerProcess] | None = getattr(_HERE, "worker", None)
    with _WORKERS_LOCK:
        alive = held is not None and held[1] in _WORKERS.get(order.scope, ())
    if held is not None and held[0] == key and alive:
        return held[1], False
    _leave_worker()
    worker = WorkerProcess(order.start, order.settings, order.threads, order.idle_limit_s)
    _HERE.worker = (key, worker)
    with _WORKERS_LOCK:
        _WORKERS.setdefault(order.scope, set()).add(worker)
    return worker, True


def _leave_worker() -> None:
    held: tuple[Any, WorkerProcess] | None = getattr(_HERE, "worker", None)
    _HERE.worker = None
    if held is not None:
        with _WORKERS_LOCK:
            for workers in _WORKERS.values():
                workers.discard(held[1])
        held[1].end()
