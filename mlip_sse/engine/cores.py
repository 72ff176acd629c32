"""Cores of this machine, and the order in which tasks get them."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlip_sse.errors import InputError

__all__ = ["CoreBudget", "available_cores"]

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores() -> int:
    """Return how many cores this process may use: its affinity, or the quota of its container where that is less."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text().split()
        if quota != "max":
            n_cores = min(n_cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return n_cores


class CoreBudget:
    """So many cores and no more, whoever asks; first come, first served, so that a wide task is not passed for ever.

    Parameters
    ----------
    n_cores
        In all.
    """

    def __init__(self, n_cores: int) -> None:
        if n_cores < 1:
            raise InputError(f"found {n_cores} cores, expected at least 1")
        self.n_cores = n_cores
        self._free = n_cores
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def held(self, n_cores: int) -> Iterator[None]:
        """Wait for cores and hold them; a task wider than the machine gets all of it."""
        wanted = min(n_cores, self.n_cores)
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(lambda: self._queue[0] is ticket and self._free >= wanted)
            self._queue.popleft()
            self._free -= wanted
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
