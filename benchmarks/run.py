"""Measure mlip-sse beside the packages that do the same, and print the ratios.

``python benchmarks/run.py [GROUP ...]`` or ``python -m benchmarks``; see README.md. Every case runs in a process of its
own, on one thread unless the group says otherwise. Packages that are not installed are named and skipped.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.registry import GROUPS, Case, load_cases
from benchmarks.tables import Row, table
from benchmarks.worker import MARK

__all__ = ["main"]

_THREAD_VARIABLES = ("NUMBA", "OMP", "MKL", "OPENBLAS", "RAYON", "OVITO")
_TIMEOUT_S = 600


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen groups and print one table for each of their sizes; 1 where a case failed."""
    options = _parse(arguments)
    rows: list[Row] = []
    print(_machine(), flush=True)
    for group in options.groups or GROUPS:
        for size in options.frames or GROUPS[group].sizes:
            of_table = _rounds(group, size, options)
            print("\n" + table(group, size, of_table), flush=True)
            rows += of_table
    if options.json:
        options.json.write_text(json.dumps({"machine": _machine(), "rows": [row.to_dict() for row in rows]}, indent=1))
    return int(any(row.failed for row in rows))


def _rounds(group: str, size: int, options: argparse.Namespace) -> list[Row]:
    """Measure all cases in turn, several times over, so that a spell of other load does not meet one of them alone."""
    cases = [(entry, threads) for entry in load_cases() if entry.group == group for threads in GROUPS[group].threads]
    rows = [_run(entry, size, threads, options) for entry, threads in cases]
    for _ in range(options.rounds - 1):
        for at, (entry, threads) in enumerate(cases):
            if rows[at].measured and not rows[at].result["first_only"]:
                rows[at] = rows[at].joined(_run(entry, size, threads, options))
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--frames", type=int, action="append", help="number of frames instead of the group's own")
    parser.add_argument("--rounds", type=int, default=3, help="times that all cases are gone through (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of a case in a round (%(default)s)")
    parser.add_argument(
        "--budget", type=float, default=20.0, help="seconds after which a case is not repeated (%(default)s)"
    )
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "mlip-sse-benchmarks",
        help="where the synthetic files are kept (%(default)s)",
    )
    options = parser.parse_args(arguments)
    for group in options.groups:
        if group not in GROUPS:
            parser.error(f"found group {group!r}, expected one of {', '.join(GROUPS)}")
    return options


def _run(entry: Case, size: int, threads: int, options: argparse.Namespace) -> Row:
    """Measure a case in a new process, whose thread pools all have `threads` threads and sleep when idle."""
    environment = dict(os.environ, PYTHONPATH=_import_path(), TQDM_DISABLE="1", OMP_WAIT_POLICY="passive")
    environment |= {f"{name}_NUM_THREADS": str(threads) for name in _THREAD_VARIABLES}
    settings = [entry.group, entry.name, str(size), str(options.folder), str(options.repeats), str(options.budget)]
    command = [sys.executable, "-m", "benchmarks.worker", *settings]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return Row(entry, threads, {"error": f"stopped after {_TIMEOUT_S} s"})
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            return Row(entry, threads, json.loads(line.removeprefix(MARK)))
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return Row(entry, threads, {"error": reason[:160]})


def _import_path() -> str:
    return os.pathsep.join([str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        facts = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        facts = {name.strip(): value.strip() for name, value in facts.items()}
        model = (
            f"{facts.get('model name', model)} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"
        )
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "scipy"))
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    sys.exit(main())
