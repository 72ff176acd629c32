"""The three lanes, label, train and md, each an executor, and the engine that owns them."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Literal, Self
from uuid import uuid4

from mlip_sse.engine.cores import CoreBudget, available_cores
from mlip_sse.engine.execution import end_workers
from mlip_sse.engine.outcomes import Outcomes, Progress
from mlip_sse.engine.parsl_pools import parsl_config, require_scheduler
from mlip_sse.engine.run import run_tasks
from mlip_sse.engine.specs import EmbeddedSpec, EngineSpec, load_engine
from mlip_sse.engine.task_folder import one_line
from mlip_sse.engine.work import Work
from mlip_sse.errors import InputError, RunError

__all__ = ["LANES", "Engine", "Lane", "LaneName"]

LaneName = Literal["label", "train", "md"]
LANES: tuple[LaneName, ...] = ("label", "train", "md")


class Lane(Executor):
    """One lane: an executor that starts when the first task comes.

    Parameters
    ----------
    name
        Its name.
    spec
        The engine's settings.
    run_folder
        Where the scheduler's own files go.
    budget
        The cores that embedded lanes share.
    """

    def __init__(self, name: LaneName, spec: EngineSpec, run_folder: Path, budget: CoreBudget | None) -> None:
        settings = spec.lane(name)
        self.name = name
        self.retries = settings.retries
        self.time_limit_s = settings.time_limit_s
        self.threads: int | None = settings.threads
        self.scope = f"{name}-{uuid4().hex}"
        self._spec, self._run_folder, self._budget = spec, run_folder, budget
        self._cores_per_task = settings.cores_per_task
        self._pool: Any = None
        self._kernel: Any = None
        self._log: logging.Handler | None = None
        self._is_shut = False
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have ``fn(*args, **kwargs)`` called by a worker; on a cluster it must be importable there.

        Raises
        ------
        InputError, MissingExtraError
            When the scheduler is not here.
        RunError
            When the lane is shut, or its jobs failed.
        """
        with self._lock:
            if self._is_shut:
                raise RunError(f"lane {self.name} is shut, expected an open one")
            if self._pool is None:
                self._start()
            pool = self._pool
        future: Future[Any] = Future()
        if self._budget is None:
            future.set_running_or_notify_cancel()  # what a scheduler has is not taken back
            inner = pool.submit(fn, *args, **kwargs)
        else:
            inner = pool.submit(_with_cores, self._budget, self._cores_per_task, _Call(future, fn, args, kwargs))
        inner.add_done_callback(partial(_hand_over, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the lane; ``cancel_futures`` also ends what runs.

        Parameters
        ----------
        wait
            Whether to wait for the tasks that are at work.
        """
        with self._lock:
            if self._is_shut:
                return
            self._is_shut = True
            kernel = self._kernel
        if kernel is not None:
            if wait and not cancel_futures:
                kernel.wait_for_current_tasks()
            end_workers(self.scope)
            kernel.cleanup()
        if self._log is not None:
            logging.getLogger("parsl").removeHandler(self._log)
            self._log.close()

    def job_states(self) -> tuple[str, ...]:
        """Return what the scheduler says of the lane's jobs, in words; nothing where the lane is embedded."""
        if self._kernel is None or self._budget is not None:
            return ()
        states = self._kernel.executors[self.name].status_facade.values()
        return tuple(one_line(f"{each.state.name.lower()} {each.message or ''}") for each in states)

    def _start(self) -> None:
        """Start Parsl for this lane; a failure leaves nothing half-started."""
        import parsl
        from parsl.concurrent import ParslPoolExecutor

        require_scheduler(self._spec, self._run_folder)
        self._run_folder.mkdir(parents=True, exist_ok=True)
        n_threads = self._budget.n_cores // min(self._cores_per_task, self._budget.n_cores) if self._budget else 1
        if self._budget is None:
            self._log = _log_into(self._run_folder / "parsl.log")
        self._kernel = parsl.DataFlowKernel(parsl_config(self._spec, self.name, self._run_folder, n_threads))
        self._pool = ParslPoolExecutor(dfk=self._kernel, executors=[self.name])


def _log_into(path: Path) -> logging.Handler:
    """Keep what Parsl says of its jobs in a file; its own handler is never closed."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    logger = logging.getLogger("parsl")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return handler


@dataclass(frozen=True)
class _Call:
    """A call and the future of its answer, in one object: Parsl waits for futures that it is given as arguments."""

    future: Future[Any]
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _with_cores(budget: CoreBudget, n_cores: int, call: _Call) -> Any:
    with budget.held(n_cores):
        return call.fn(*call.args, **call.kwargs) if call.future.set_running_or_notify_cancel() else None


def _hand_over(future: Future[Any], inner: Future[Any]) -> None:
    """Give the answer of a future of Parsl, which cannot be cancelled, to one of the standard library."""
    if future.cancelled():
        return
    error = inner.exception()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(inner.result())


class Engine:
    """Three lanes over one folder; a context manager that leaves no process behind.

    Parameters
    ----------
    folder
        Task folders go into ``tasks/``, the scheduler's own files into ``engine/``.
    spec
        Where tasks run: the path of an `engine.yaml`, settings, or None for this machine.

    Raises
    ------
    SpecError
        When the settings are wrong.
    """

    def __init__(self, folder: str | Path, spec: str | Path | Mapping[str, Any] | EngineSpec | None = None) -> None:
        self.folder = Path(folder).absolute()
        self.spec = load_engine(spec)
        budget = None
        if isinstance(self.spec, EmbeddedSpec):
            budget = CoreBudget(self.spec.cores or available_cores())
        self._lanes = {name: Lane(name, self.spec, self.folder / "engine" / name, budget) for name in LANES}

    @property
    def tasks(self) -> Path:
        """Where the task folders lie."""
        return self.folder / "tasks"

    def lane(self, name: LaneName) -> Lane:
        """Return a lane.

        Raises
        ------
        InputError
            When there is no such lane.
        """
        if name not in self._lanes:
            raise InputError(f"found lane {name!r}, expected one of {', '.join(LANES)}")
        return self._lanes[name]

    def run(
        self,
        lane: LaneName,
        work: Work,
        inputs: Sequence[Mapping[str, Any]],
        *,
        retries: int | None = None,
        min_success: float = 0.0,
        retry_failed: bool = False,
        progress: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
    ) -> Outcomes:
        """Do a batch of tasks on a lane; see `run_tasks`."""
        return run_tasks(
            self.lane(lane),
            work,
            inputs,
            self.tasks,
            retries=retries,
            min_success=min_success,
            retry_failed=retry_failed,
            progress=progress,
            stop=stop,
        )

    def close(self) -> None:
        """End all lanes and what runs in them."""
        for lane in self._lanes.values():
            lane.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
