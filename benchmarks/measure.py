"""Measure one call in this process: CPU seconds, wall time, the busiest thread and peak memory."""

import dataclasses
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.registry import Run

__all__ = ["Measurement", "measure"]

_POLL_S = 0.005


@dataclass(frozen=True)
class Measurement:
    """What the repeats of a call cost, one number a repeat.

    Parameters
    ----------
    cpu_s
        CPU seconds over all threads.
    wall_s
        Seconds by the clock.
    busiest_thread_s
        CPU seconds of the busiest thread.
    memory_mib
        Peak resident memory above that before the first call.
    first_only
        Whether the first call, which is not counted otherwise, took the whole budget and is the measurement.
    check
        The value that the call returned.
    """

    cpu_s: list[float]
    wall_s: list[float]
    busiest_thread_s: list[float]
    memory_mib: float
    first_only: bool
    check: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return dataclasses.asdict(self)


def measure(run: Run, n_repeats: int, budget_s: float) -> Measurement:
    """Call once to warm up, then up to `n_repeats` times while the budget lasts.

    Parameters
    ----------
    run
        The call.
    n_repeats
        Largest number of repeats.
    budget_s
        Wall time after which no further repeat starts.
    """
    began = time.perf_counter()
    with _PeakMemory() as memory:
        check, *first = _once(run)
        repeats: list[list[float]] = []
        while len(repeats) < n_repeats and time.perf_counter() - began < budget_s:
            _, *cost = _once(run)
            repeats.append(cost)
    cpu, wall, busiest = (list(costs) for costs in zip(*(repeats or [first]), strict=True))
    return Measurement(cpu, wall, busiest, memory.peak_mib, not repeats, check)


def _once(run: Run) -> tuple[float, float, float, float]:
    threads = _thread_cpu_s()
    cpu, wall = time.process_time(), time.perf_counter()
    check = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    busiest = max((spent - threads.get(thread, 0.0) for thread, spent in _thread_cpu_s().items()), default=cpu)
    return float(check), cpu, wall, busiest


def _thread_cpu_s() -> dict[str, float]:
    """Return the CPU seconds of every thread of this process, as the Linux scheduler counts them; empty elsewhere."""
    spent = {}
    for entry in Path("/proc/self/task").glob("*/schedstat"):
        spent[entry.parent.name] = int(entry.read_text().split()[0]) * 1e-9
    return spent


class _PeakMemory:
    """Resident memory, polled in a thread, because the kernel's own high-water mark includes the set-up."""

    peak_mib = float("nan")

    def __enter__(self) -> "_PeakMemory":
        self._before = self._highest = _resident_mib()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.peak_mib = self._highest - self._before

    def _poll(self) -> None:
        while not self._stop.wait(_POLL_S):
            self._highest = max(self._highest, _resident_mib())


def _resident_mib() -> float:
    """Return the resident memory; zero where /proc does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 / 2**20 if status.exists() else 0.0
