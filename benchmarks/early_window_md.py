"""Windows of molecular dynamics beside the diffusivity of the rest: the table that `early_window` reads.

``python benchmarks/early_window_md.py Li6PS5Cl=CAMPAIGN Li3PS4=CAMPAIGN ... --out benchmarks/early_window_md.csv``
takes every complete run of campaigns (``trajectories/TEMPERATUREK_seedN``) and protocols (``TEMPERATUREK/production``):
descriptors of its first tenth, and as truth the diffusivity of what comes after it and of the other seeds at the same
temperature and potential, each by generalised least squares, weighed by their length. A run whose rest has no resolved
diffusivity has no truth, and one whose cell has grown by a quarter over the densest of its system has boiled or melted;
both are counted and left out.
"""

import argparse
import hashlib
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from mlip_sse.properties.features.window_extrapolation import EarlyDiffusivity, early_diffusivity
from mlip_sse.properties.features.windows import describe_window
from mlip_sse.trajectory.model import Trajectory

__all__ = ["main"]

LEAST_FRAMES = 1001
MOST_GROWTH = 1.25
_ANIONS = {"S", "Cl", "Br", "I", "O", "F"}


@dataclass(frozen=True)
class Run:
    """One trajectory: its system, the potential's label, temperature, and where it is."""

    system: str
    potential: str
    temperature_k: float
    path: Path


def runs_of(system: str, folder: Path, label: str) -> list[Run]:
    """Return the complete runs of a folder."""
    found = []
    for path in sorted([*folder.glob("trajectories/*K_seed*.lammpstrj"), *folder.glob("*K/production.lammpstrj")]):
        name = path.stem if path.stem != "production" else path.parent.name
        kelvin = re.match(r"(\d+)K", name)
        if kelvin:
            found.append(Run(system, label, float(kelvin.group(1)), path))
    return found


def measured(run: Run) -> tuple[dict[str, float], EarlyDiffusivity, EarlyDiffusivity, float] | None:
    """Return descriptors of the first tenth, D of the rest and of all, and the length in ps; None of a cut run."""
    whole = Trajectory.read(run.path)
    if whole.n_frames < LEAST_FRAMES:
        return None
    species = {str(symbol) for symbol in whole.species}
    seen = whole.in_reference_frame("framework" if len(species) > 2 else "barycentric", ("Li",))
    tenth_ps = seen.duration_fs / 10_000.0
    anions = tuple(sorted(species & _ANIONS))
    values = dict(describe_window(seen, tenth_ps, anions=anions, softness="train").values)
    n_tenth = round(tenth_ps / (seen.frame_spacing_fs / 1000.0)) + 1
    spacing_ps = seen.frame_spacing_fs / 1000.0
    coordinates = np.concatenate(list(seen.ion_blocks(seen.indices("Li"), dtype=np.float64)))
    rest, everything = (early_diffusivity(coordinates[:, :, first:], spacing_ps) for first in (n_tenth, 0))
    head = {
        "window_ps": tenth_ps,
        "n_ions": float(len(coordinates)),
        "volume_per_atom_a3": whole.mean_volume / whole.n_atoms,
    }
    return head | values, rest, everything, 10 * tenth_ps


def truth(own: EarlyDiffusivity, others: Sequence[EarlyDiffusivity]) -> tuple[float, float]:
    """Return D in cm²/s and its relative standard error; nan where the run's own rest was not resolved."""
    if own.method != "gls":
        return np.nan, np.nan
    parts = [(0.9, own), *((1.0, other) for other in others if other.method == "gls")]
    weights = np.array([weight for weight, _ in parts])
    values = np.array([part.value for _, part in parts])
    errors = np.array([part.value * part.relative_error for _, part in parts])
    mean = float(weights @ values / weights.sum())
    return mean, float(np.sqrt(((weights * errors) ** 2).sum()) / weights.sum() / mean)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the runs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="SYSTEM=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    runs, seen = [], set()
    for k, each in enumerate(options.folders):
        system, _, folder = each.partition("=")
        for run in runs_of(system, Path(folder), f"{system}-{k + 1}"):
            digest = hashlib.sha256(run.path.read_bytes()).hexdigest()
            if digest not in seen:
                runs.append(run)
                seen.add(digest)
    found = {run: result for run in runs if (result := measured(run)) is not None}
    n_complete, densest = len(found), defaultdict(lambda: np.inf)
    for run, (values, *_) in found.items():
        densest[run.system] = min(densest[run.system], values["volume_per_atom_a3"])
    found = {
        run: result
        for run, result in found.items()
        if result[0]["volume_per_atom_a3"] <= MOST_GROWTH * densest[run.system]
    }
    together = defaultdict(list)
    for run, (_, _, everything, _) in found.items():
        together[run.potential, run.temperature_k].append((run, everything))
    rows = []
    for run, (values, rest, _, length) in found.items():
        others = [part for other, part in together[run.potential, run.temperature_k] if other != run]
        value, error = truth(rest, others)
        if np.isfinite(value) and error < 0.5:
            head = {"run_ps": length, "long_diffusivity_cm2_s": value, "long_relative_error": error}
            rows.append((run, head | values))
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    lines = [",".join(["system", "potential", "temperature_k", *names])]
    for run, row in rows:
        numbers = ("" if not np.isfinite(row.get(n, np.nan)) else f"{row[n]:.5g}" for n in names)
        lines.append(",".join([run.system, run.potential, f"{run.temperature_k:g}", *numbers]))
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(runs)} different runs, {n_complete} complete, {len(found)} not boiled, {len(rows)} with a truth")
    return 0


if __name__ == "__main__":
    sys.exit(main())
