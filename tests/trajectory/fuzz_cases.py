"""Damage files in reproducible ways and judge what reading them does.

Run as a program with a folder of files named ``<format>.<number><suffix>``, it reads them one after the other and
prints the name of each before it is read, so that a reader that kills the process leaves the culprit as the last word.
"""

import contextlib
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from foreign_writers import N_LAMMPS_ATOMS, SYMBOLS

from mlip_sse.errors import MlipSseError
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory

SECONDS_PER_CASE = 120.0  # the first case may compile its reader, on a machine under load

OPTIONS: dict[str, dict[str, object]] = {
    "lammps-binary": {"species": {1: "Ar"}},
    "dcd": {"species": SYMBOLS},
    "xtc": {"species": SYMBOLS},
    "trr": {"species": SYMBOLS},
    "netcdf": {"species": SYMBOLS},
    "h5md": {"species": SYMBOLS},
    "xyz": {"cell": [[9.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-1.0, 2.0, 10.0]]},
}


class Hang(BaseException):
    """Raised by the alarm; no reader may catch it."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang(f"still reading after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def damage(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Return one kind of damage, drawn at random, and the damaged bytes."""
    n = len(data)
    at, length = int(rng.integers(n)), int(rng.integers(1, max(2, min(n, 400))))
    header = int(rng.integers(min(n, 600)))
    changed = bytearray(data)
    kind = str(
        rng.choice(
            ["bit", "header bit", "byte", "bytes", "header word", "cut", "delete", "insert", "repeat", "zero", "swap"]
        )
    )
    if kind == "bit":
        changed[at] ^= 1 << int(rng.integers(8))
    elif kind == "header bit":
        changed[header] ^= 1 << int(rng.integers(8))
    elif kind == "byte":
        changed[at] = int(rng.integers(256))
    elif kind == "bytes":
        for place in rng.integers(n, size=10):
            changed[int(place)] = int(rng.integers(256))
    elif kind == "header word":
        word = int(rng.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**16, 255]))
        changed[header : header + 4] = word.to_bytes(4, str(rng.choice(["little", "big"])), signed=True)
    elif kind == "cut":
        del changed[at:]
    elif kind == "delete":
        del changed[at : at + length]
    elif kind == "insert":
        changed[at:at] = bytes(rng.integers(256, size=length, dtype=np.uint8))
    elif kind == "repeat":
        changed[at:at] = changed[at : at + length]
    elif kind == "zero":
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    else:
        other = int(rng.integers(n))
        first, second = changed[at : at + length], changed[other : other + length]
        changed[at : at + len(second)] = second
        changed[other : other + len(first)] = first
    return kind, bytes(changed)


def judge(path: Path, format: str) -> str:
    """Read a file and return ``refused`` or ``read``; anything else that happens is an AssertionError that names it."""
    try:
        with limited(SECONDS_PER_CASE), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", TrajectoryWarning)
            trajectory = Trajectory.read(path, frame_spacing_fs=5.0, **OPTIONS.get(format, {}))
    except MlipSseError as error:
        text = str(error)
        if "\n" in text or not text or len(text) > 1000:
            raise AssertionError(f"{path}: the message is not one line: {text!r}") from error
        return "refused"
    except (Exception, Hang) as error:
        raise AssertionError(f"{path}: {type(error).__name__}: {error}") from error
    expected = N_LAMMPS_ATOMS if format.startswith("lammps") else len(SYMBOLS)
    if trajectory.n_atoms != expected or len(trajectory.species) != expected:
        raise AssertionError(f"{path}: {trajectory.n_atoms} atoms were read, the file held {expected}")
    if trajectory.n_frames < 2 or not (np.isfinite(trajectory.positions).all() and np.isfinite(trajectory.cells).all()):
        raise AssertionError(f"{path}: {trajectory.n_frames} frames, not all of them finite")
    if trajectory.velocities is not None and not np.isfinite(trajectory.velocities).all():
        raise AssertionError(f"{path}: velocities are not finite")
    return "read"


if __name__ == "__main__":
    for file in sorted(Path(sys.argv[1]).iterdir()):
        print(file.name, flush=True)
        try:
            print(judge(file, file.name.split(".")[0]), flush=True)
        except AssertionError as error:
            print(f"FAILED {' '.join(str(error).split())}", flush=True)
