"""Do a batch of tasks on any executor: what is done is not repeated, what fails is named and stops nobody else."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

from mlip_sse.engine.execution import Answer, Order, do_task, request_stop
from mlip_sse.engine.outcomes import Outcome, Outcomes, Progress
from mlip_sse.engine.task_folder import TaskFailure, TaskFolder, one_line
from mlip_sse.engine.work import Work
from mlip_sse.errors import InputError, MlipSseError, RunError

__all__ = ["run_tasks"]

_POLL_S = 0.5
_LOST_LIMIT = 3
_VISIBLE_WITHIN_S = 60.0
_STOPS_WITHIN_S = 20.0
_LOST_WITH_THEIR_NODE = frozenset({"ManagerLost", "WorkerLost"})


def run_tasks(
    executor: Executor,
    work: Work,
    inputs: Sequence[Mapping[str, Any]],
    tasks: str | Path,
    *,
    retries: int | None = None,
    min_success: float = 0.0,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    stop: Event | None = None,
) -> Outcomes:
    """Do tasks, each in a subprocess and a folder of its own; what is there already is not done again.

    Parameters
    ----------
    executor
        A lane of an `Engine`, or any executor whose workers see the folder.
    work
        How they are done.
    inputs
        Plain data, all that decides each task.
    tasks
        Where the folders go.
    retries
        How often a task that failed is tried again; None: what the lane says. Refused inputs and time that ran out
        are not tried again.
    min_success
        Fraction of the tasks that must have a result; as soon as it is out of reach, the rest is not done.
    retry_failed
        Whether tasks that failed in earlier calls begin anew.
    progress
        Called from this thread as tasks end.
    stop
        Set from another thread to end it early.

    Returns
    -------
    Outcomes
        One for each of the inputs, in their order.

    Raises
    ------
    InputError
        When no worker of this work can start: the settings or the installation are wrong, not a task.
    RunError
        When too many fail, the disk is full, the lane cannot work, or it was stopped. What is done stays done.
    """
    if not 0 <= min_success <= 1:
        raise InputError(f"found min_success {min_success}, expected a fraction from 0 to 1")
    folder = Path(tasks).absolute()
    folders = [TaskFolder.of(folder, work.document(each)) for each in inputs]
    batch = _Batch(executor, work, folder, getattr(executor, "retries", 0) if retries is None else retries)
    for task in {task.path: task for task in folders}.values():
        batch.add(task, retry_failed)
    batch.run(min_success, progress, stop)
    return Outcomes(tuple(batch.outcomes[task.path] for task in folders), batch.n_lost)


@dataclass
class _Batch:
    """The state of one call of `run_tasks`."""

    executor: Executor
    work: Work
    folder: Path
    retries: int

    def __post_init__(self) -> None:
        self.outcomes: dict[Path, Outcome] = {}
        self.n_lost = 0
        self._n_failed_before = 0
        self._open: list[TaskFolder] = []
        self._lost: dict[Path, int] = {}
        self._pending: dict[Future[Any], TaskFolder] = {}
        self._stop_file = self.folder / f".stop-{uuid4().hex}"

    def add(self, task: TaskFolder, retry_failed: bool) -> None:
        """Sort a task into those that are done, that failed for good, and that are to be done."""
        if retry_failed:
            task.forget_failure()
        failure = task.failure()
        if task.is_done:
            self.outcomes[task.path] = Outcome(task, "reused")
        elif failure is not None and not failure.may_be_tried(self.retries):
            self.outcomes[task.path] = Outcome(task, "failed", failure)
        else:
            self._open.append(task)

    def run(self, min_success: float, progress: Callable[[Progress], None] | None, stop: Event | None) -> None:
        """Do what is to be done; see `run_tasks`."""
        n_tasks = len(self.outcomes) + len(self._open)
        self._n_failed_before = len([each for each in self.outcomes.values() if not each.is_done])
        self._require_success(min_success, n_tasks)
        try:
            for task in self._open:
                self._submit(task)
            while self._pending:
                if stop is not None and stop.is_set():
                    raise RunError("it was stopped: the same call goes on where it was")
                ended, _ = wait(list(self._pending), timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    is_at_its_end = self._collect(future, self._pending.pop(future))
                    if is_at_its_end and progress is not None:
                        progress(self._progress(n_tasks))
                    self._require_success(min_success, n_tasks)
        except BaseException:
            self._give_up()
            raise

    def _submit(self, task: TaskFolder) -> None:
        lane = self.executor
        limit_s = getattr(lane, "time_limit_s", None)
        order = Order(
            folder=str(task.path),
            start=self.work.start,
            settings=dict(self.work.settings),
            time_limit_s=min(self.work.time_limit_s, limit_s or self.work.time_limit_s),
            threads=getattr(lane, "threads", None),
            stop_file=str(self._stop_file),
            scope=getattr(lane, "scope", ""),
        )
        self._pending[lane.submit(do_task, asdict(order))] = task

    def _collect(self, future: Future[Any], task: TaskFolder) -> bool:
        """Take in an answer; return whether its task is at its end, well or not."""
        answer = _answer_of(future)
        if answer.state == "cannot":
            raise InputError(answer.reason)
        if answer.state == "disk":
            raise RunError(f"{answer.reason}: free some space under {self.folder}, the same call goes on where it was")
        if answer.state == "stopped":
            raise RunError("it was stopped: the same call goes on where it was")
        if answer.state == "lost":
            self._retry_lost(task, answer.reason)
        elif answer.state == "done" and _comes(lambda: task.is_done):
            self.outcomes[task.path] = Outcome(task, "done")
        else:
            self._retry_failed(task, answer)
        return task.path in self.outcomes

    def _retry_failed(self, task: TaskFolder, answer: Answer) -> None:
        if answer.state == "failed":
            _comes(lambda: task.failure() is not None)
        failure = task.failure() or TaskFailure(f"neither result nor error came into {task.path}", "lost")
        if failure.may_be_tried(self.retries):
            self._submit(task)
        else:
            self.outcomes[task.path] = Outcome(task, "failed", failure)

    def _retry_lost(self, task: TaskFolder, reason: str) -> None:
        """Do a task again that ended with its worker, a few times: perhaps it is what ends it."""
        self.n_lost += 1
        self._lost[task.path] = self._lost.get(task.path, 0) + 1
        if task.is_done:
            self.outcomes[task.path] = Outcome(task, "done")
        elif self._lost[task.path] < _LOST_LIMIT:
            self._submit(task)
        else:
            failure = task.write_failure(f"lost {_LOST_LIMIT} times: {reason}", "lost")
            self.outcomes[task.path] = Outcome(task, "failed", failure)

    def _progress(self, n_tasks: int) -> Progress:
        states = [outcome.state for outcome in self.outcomes.values()]
        n_failed = states.count("failed") - self._n_failed_before
        return Progress(n_tasks, states.count("reused"), self._n_failed_before, states.count("done"), n_failed)

    def _require_success(self, min_success: float, n_tasks: int) -> None:
        failed = [outcome for outcome in self.outcomes.values() if outcome.failure is not None]
        # A little slack, so that 0.8 of ten is eight.
        if failed and n_tasks - len(failed) < min_success * n_tasks - 1e-9:
            reasons = list(dict.fromkeys(each.failure.reason for each in failed if each.failure is not None))
            raise RunError(
                f"{len(failed)} of {n_tasks} tasks failed, expected results of at least {min_success:.0%}: "
                f"{'; '.join(reasons[:3])}"
            )

    def _give_up(self) -> None:
        """Stop what is queued and what runs, and wait until it has."""
        request_stop(self._stop_file)
        for future in self._pending:
            future.cancel()  # what does not let itself be cancelled sees the stop file
        deadline = time.monotonic() + _STOPS_WITHIN_S
        left = [future for future in self._pending if not future.done()]
        with suppress(KeyboardInterrupt):  # the second Ctrl-C is for the impatient
            wait(left, timeout=max(0.0, deadline - time.monotonic()))
        if all(future.done() for future in left):
            with suppress(OSError):
                self._stop_file.unlink()


def _answer_of(future: Future[Any]) -> Answer:
    """Return what came back; a lane that broke is an error of its own."""
    try:
        return Answer(**future.result())
    except MlipSseError:
        raise
    except Exception as error:
        if type(error).__name__ in _LOST_WITH_THEIR_NODE:
            return Answer("lost", one_line(error))
        raise RunError(f"the lane cannot work: {one_line(error)}") from error


def _comes(is_there: Callable[[], bool]) -> bool:
    """Wait for a file; a network file system may show it a little later than we are told of it."""
    deadline = time.monotonic() + _VISIBLE_WITHIN_S
    while not is_there():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
