"""Threads of the standard library as a lane: for one batch here and now, without Parsl."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from mlip_sse.engine.execution import end_workers

__all__ = ["ThreadLane"]


class ThreadLane(ThreadPoolExecutor):
    """So many tasks at a time, each in a worker process of one thread; nothing is tried again.

    Parameters
    ----------
    n_workers
        Tasks at a time.
    """

    def __init__(self, n_workers: int) -> None:
        super().__init__(n_workers, thread_name_prefix="lane")
        self.scope = f"threads-{uuid4().hex}"

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads, and the worker processes that wait for more."""
        super().shutdown(wait=wait, cancel_futures=cancel_futures)
        end_workers(self.scope)
