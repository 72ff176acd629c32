"""Does each lane work: one task that does nothing on each, with a limit, because a pool that cannot start says nothing.

Run as ``python -m mlip_sse.engine.probe LIMIT_S [ENGINE_YAML]``, it prints one line of JSON: of each lane whether it
answered, and what there is to say.
"""

import json
import sys
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from mlip_sse.engine.lanes import LANES, Engine, Lane
from mlip_sse.engine.specs import EmbeddedSpec, load_engine
from mlip_sse.engine.task_folder import one_line
from mlip_sse.errors import MlipSseError, RunError

__all__ = ["probe_lane", "probe_lanes"]

_POLL_S = 0.1
_FAILED = ("failed", "missing")


def probe_lanes(source: str | Path | None, limit_s: float) -> dict[str, tuple[bool, str]]:
    """Ask every lane of an engine for a sign of life.

    Parameters
    ----------
    source
        The path of an `engine.yaml`; None: this machine. Its folder must be one that the nodes see, as a folder for
        the schedulers' files is made beside it, and removed.
    limit_s
        Until when an answer counts.

    Returns
    -------
    dict
        For each lane whether it answered, and in words how, or why not.
    """
    spec = load_engine(source)
    beside = None if source is None or isinstance(spec, EmbeddedSpec) else Path(source).absolute().parent
    with (
        tempfile.TemporaryDirectory(prefix="mlip-sse-doctor-", dir=beside, ignore_cleanup_errors=True) as folder,
        Engine(folder, spec) as engine,
    ):
        lanes = {name: engine.lane(name) for name in LANES}
        start = time.monotonic()
        futures = {name: _submitted(lane) for name, lane in lanes.items()}
        found: dict[str, tuple[bool, str]] = {}
        for name, lane in lanes.items():
            try:
                words = _answer(lane, futures[name], start, limit_s)
                found[name] = (True, f"{spec.name} answered in {words}")
            except MlipSseError as error:
                found[name] = (False, one_line(error))
        return found


def probe_lane(lane: Lane, limit_s: float) -> str:
    """Send a lane a task that does nothing and say how long it took.

    Raises
    ------
    MlipSseError
        When the lane cannot start, or no answer comes in time; the message says what the scheduler says.
    """
    return _answer(lane, _submitted(lane), time.monotonic(), limit_s)


def _submitted(lane: Lane) -> "Future[Any] | Exception":
    try:
        return lane.submit(_do_nothing)
    except Exception as error:
        return error


def _answer(lane: Lane, future: "Future[Any] | Exception", start: float, limit_s: float) -> str:
    if isinstance(future, MlipSseError):
        raise future
    if isinstance(future, Exception):
        raise RunError(f"lane {lane.name} cannot start: {one_line(future)}") from future
    while not future.done() and time.monotonic() - start < limit_s and not _fails(lane):
        time.sleep(_POLL_S)
    states = ", ".join(lane.job_states()) or "none submitted"
    if not future.done():
        within = "answers" if _fails(lane) else f"answered within {limit_s:g} s"
        raise RunError(f"lane {lane.name}: no worker {within}; jobs: {states}")
    error = future.exception()
    if error is not None:
        raise RunError(f"lane {lane.name}: {one_line(error)}") from error
    return f"{time.monotonic() - start:.1f} s"


def _fails(lane: Lane) -> bool:
    states = lane.job_states()
    return bool(states) and all(state.startswith(_FAILED) for state in states)


def _do_nothing() -> None:
    """Show that a worker is there."""


def main(arguments: list[str]) -> int:
    """Print what `probe_lanes` finds; an error is one line and exit code 1."""
    try:
        found = probe_lanes(arguments[1] if len(arguments) > 1 else None, float(arguments[0]))
    except MlipSseError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
