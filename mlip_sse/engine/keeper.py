"""Run a command and end it, with all it started, when whoever asked for it is gone.

Run as a script: ``keeper.py LIFELINE COMMAND...``, where LIFELINE is the number of a file descriptor whose other end
the caller keeps open, or ``pid:N`` for a process to be watched. It ends when the caller lets go or dies, however it
dies. Codes start children in sessions of their own (``mpirun`` does), and a code that hangs inside a C call runs no
thread of its own: so this stands outside of the process it guards. It imports nothing of the package, so that it starts
in a few hundredths of a second.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_END_WITHIN_S = 10.0
_GRACE_S = 3.0
_POLL_S = 1.0


def main(lifeline: str, command: list[str]) -> int:
    """Run ``command`` and return its exit code, 128 and more where a signal ended it."""
    _set_process_flag(_PR_SET_CHILD_SUBREAPER, 1)  # what loses its parent becomes our child and can be found
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    asked_to_end: list[int] = []
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, lambda number, _: asked_to_end.append(number))
    rope = _Lifeline(lifeline)
    worker = _start(command)
    for inherited in (0, 1):  # the worker's alone: its pipes close when it ends
        os.close(inherited)
    code = None
    deadline = float("inf")
    while code is None and time.monotonic() < deadline:
        if asked_to_end and deadline == float("inf"):
            deadline = time.monotonic() + _GRACE_S
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGTERM)
        readable, _, _ = select.select([*rope.descriptors, woken], [], [], _POLL_S)
        if rope.is_gone(readable):
            break
        with suppress(BlockingIOError):
            os.read(woken, 4096)
        code = _reap(worker)
    _end_descendants(worker)
    return 128 + signal.SIGKILL if code is None else code


class _Lifeline:
    """What the caller holds on to: a pipe, or its own life."""

    def __init__(self, text: str) -> None:
        self._pid = int(text.removeprefix("pid:")) if text.startswith("pid:") else 0
        self.descriptors = [] if self._pid else [int(text)]
        if self._pid and hasattr(os, "pidfd_open"):
            with suppress(OSError):
                self.descriptors = [os.pidfd_open(self._pid)]

    def is_gone(self, readable: list[int]) -> bool:
        """Whether the caller has let go."""
        if self.descriptors:
            return self.descriptors[0] in readable
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        return False


def _start(command: list[str]) -> int:
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for sign in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sign, signal.SIG_DFL)
        _set_process_flag(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == keeper:
            os.execv(command[0], command)
    finally:
        os._exit(127)


def _reap(worker: int) -> int | None:
    """Collect the children that ended; return the worker's exit code where it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else 128 - code


def _end_descendants(worker: int) -> None:
    deadline = time.monotonic() + _END_WITHIN_S
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
    while time.monotonic() < deadline:
        _reap(worker)
        left = _descendants()
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _descendants() -> set[int]:
    """Return all processes below this one; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    with suppress(OSError):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as stream:
                fields = stream.read().rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    children.setdefault(int(fields[1]), []).append(int(name))
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _set_process_flag(flag: int, value: int) -> None:
    """Ask Linux for a favour; elsewhere the process group has to do."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(flag, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
