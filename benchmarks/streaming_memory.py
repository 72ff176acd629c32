"""Read and analyse a LAMMPS dump far larger than the memory that is allowed, and report the peak.

``python benchmarks/streaming_memory.py --gigabytes 4 --scratch FOLDER`` writes a synthetic dump (2,000 atoms, of
which 500 walk), reads it, takes the framework as reference, and computes the mean-squared displacement of the walkers
at 60 lags. The peak is the process's own, `VmHWM` or `ru_maxrss`, file-backed pages counted. Twice the dump's size must
be free in FOLDER; all of it is removed again.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["analyse", "main", "write_dump"]

_N_IONS, _N_FRAMEWORK, _EDGE = 500, 1500, 28.0
_N_DISTINCT = 64
_SPACING_FS = 100.0


def write_dump(path: Path, n_bytes: int, seed: int = 5) -> int:
    """Write frames until the file holds ``n_bytes``; return how many. The walk goes back and forth over 64 of them."""
    rng = np.random.default_rng(seed)
    n_atoms = _N_IONS + _N_FRAMEWORK
    steps = 0.3 * rng.standard_normal((_N_DISTINCT, n_atoms, 3))
    steps[:, _N_IONS:] *= 0.1
    positions = (rng.uniform(0, _EDGE, (n_atoms, 3)) + np.cumsum(steps, axis=0)) % _EDGE
    rows = [
        "".join(f"{i + 1} {1 if i < _N_IONS else 2} {x:.6f} {y:.6f} {z:.6f}\n" for i, (x, y, z) in enumerate(frame))
        for frame in positions
    ]
    order = [*range(_N_DISTINCT), *range(_N_DISTINCT - 2, 0, -1)]
    bounds = f"0.0 {_EDGE}\n" * 3
    n_frames = 0
    with path.open("w", encoding="ascii") as file:
        while file.tell() < n_bytes:
            for _ in range(32):
                file.write(
                    f"ITEM: TIMESTEP\n{100 * n_frames}\nITEM: NUMBER OF ATOMS\n{n_atoms}\nITEM: BOX BOUNDS pp pp pp\n"
                    f"{bounds}ITEM: ATOMS id type x y z\n"
                )
                file.write(rows[order[n_frames % len(order)]])
                n_frames += 1
    return n_frames


def analyse(path: Path, scratch: Path, limit_bytes: int | None = None) -> dict[str, float]:
    """Read the dump in this process, compute the mean-squared displacement, and report times and peak."""
    from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
    from mlip_sse.trajectory.model import Trajectory

    options: dict[str, object] = {"scratch": scratch}
    if limit_bytes is not None:
        options["memory_limit_bytes"] = limit_bytes
    before, cpu_before = _peak_mb(), time.process_time()
    trajectory = Trajectory.read(path, timestep_fs=_SPACING_FS / 100, species={1: "Li", 2: "O"}, **options)
    cpu_read, peak_read = time.process_time() - cpu_before, _peak_mb()
    trajectory = trajectory.in_reference_frame("framework", ["Li"])
    lags = np.unique(np.geomspace(1, trajectory.n_frames // 10, 60).astype(int))
    msd = displacement_moments(trajectory.ion_blocks(trajectory.indices("Li")), lags).msd
    return {
        "file_mb": path.stat().st_size / 1e6,
        "n_frames": trajectory.n_frames,
        "mapped": float(isinstance(trajectory.positions, np.memmap)),
        "baseline_mb": before,
        "peak_after_read_mb": peak_read,
        "peak_mb": _peak_mb(),
        "read_cpu_s": cpu_read,
        "read_mb_per_cpu_s": path.stat().st_size / 1e6 / cpu_read,
        "analysis_cpu_s": time.process_time() - cpu_before - cpu_read,
        "msd_first_lag_a2": float(msd[0]),
    }


def _peak_mb() -> float:
    """Return the peak of this program alone: ``ru_maxrss`` begins with that of the process that started it."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, read in a fresh process, print the figures, remove."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--limit-mb", type=int, help="memory_limit_bytes of the reader, its default where left out")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    limit = None if options.limit_mb is None else options.limit_mb * 1_000_000
    if options.read is not None:
        print(json.dumps(analyse(options.read, options.scratch, limit)))
        return 0
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="mlip-sse-dump-") as folder:
        path = Path(folder) / "run.dump"
        write_dump(path, int(options.gigabytes * 1e9))
        command = [sys.executable, __file__, "--read", str(path), "--scratch", folder]
        if options.limit_mb is not None:
            command += ["--limit-mb", str(options.limit_mb)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name, value in found.items():
        print(f"{name:22s} {value:12.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
