"""What became of a batch of tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlip_sse.engine.task_folder import FailureKind, TaskFailure, TaskFolder
from mlip_sse.errors import RunError

__all__ = ["Outcome", "Outcomes", "Progress"]


@dataclass(frozen=True)
class Outcome:
    """One task.

    Parameters
    ----------
    folder
        Its folder.
    state
        Done now, done before, or failed.
    failure
        Why, where it failed.
    """

    folder: TaskFolder
    state: Literal["done", "reused", "failed"]
    failure: TaskFailure | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self.state != "failed"

    def result(self) -> dict[str, Any]:
        """Return the result.

        Raises
        ------
        RunError
            When the task failed, or its result is damaged.
        """
        if self.failure is not None:
            raise RunError(self.failure.reason)
        return self.folder.result()


@dataclass(frozen=True)
class Outcomes(Sequence[Outcome]):
    """A batch, one outcome for each inputs given, in their order; equal inputs share one task.

    Parameters
    ----------
    outcomes
        One by one.
    n_lost
        How many attempts were lost with the machine or job they ran on, and made again.
    """

    outcomes: tuple[Outcome, ...]
    n_lost: int = 0

    def __len__(self) -> int:
        return len(self.outcomes)

    def __getitem__(self, key: Any) -> Any:
        return self.outcomes[key]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def count(self, state: Any) -> int:
        """Return how many different tasks are in a state."""
        return len({each.folder.path for each in self.outcomes if each.state == state})

    @property
    def n_done(self) -> int:
        """How many different tasks were done now."""
        return self.count("done")

    @property
    def n_reused(self) -> int:
        """How many different tasks had been done before."""
        return self.count("reused")

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that failed, each task once."""
        return tuple({each.folder.path: each for each in self.outcomes if not each.is_done}.values())

    def failures_by_kind(self) -> dict[FailureKind, int]:
        """Return how many tasks failed in each way."""
        counts: dict[FailureKind, int] = {}
        for each in self.failed:
            if each.failure is not None:
                counts[each.failure.kind] = counts.get(each.failure.kind, 0) + 1
        return counts


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Parameters
    ----------
    n_tasks
        All of them.
    n_reused, n_failed_before
        Those that earlier calls brought to an end.
    n_done, n_failed
        Those that this call did.
    """

    n_tasks: int
    n_reused: int
    n_failed_before: int
    n_done: int
    n_failed: int

    @property
    def n_to_do(self) -> int:
        """How many there were to do."""
        return self.n_tasks - self.n_reused - self.n_failed_before

    @property
    def n_ended(self) -> int:
        """How many of them are at their end."""
        return self.n_done + self.n_failed
