"""A 30 × 30 screening table of interface reactions: mlip-sse, and a loop over pymatgen.

``python benchmarks/reactions.py --entries Li-Fe-P-O_entries.json`` draws 60 compounds with seed 1, 30 for each side.
Both start from entries in memory and make the convex hull once. "With equations" lets mlip-sse do all that pymatgen's
loop does: every kink of every pair with its balanced equation; the table alone holds total and mutual energies and
the mixing fractions. CPU seconds of one thread, the median of the repeats; the first call, which compiles, is not
counted.
"""

import argparse
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import aligned

__all__ = ["main"]

_N_SIDE = 30
_REPEATS = 3


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=Path, required=True, help="JSON of entries as pymatgen writes it")
    path = parser.parse_args(arguments).entries
    rows, columns = _drawn(path)
    ours, table = _measured(_table(path), rows, columns)
    whole, _ = _measured(_with_equations(path), rows, columns)
    theirs, expected = _measured(_pymatgen(path), rows, columns)
    lines = aligned(
        [
            ["30 × 30 pairs", "CPU s", "of pymatgen's"],
            ["mlip-sse, table", f"{ours:.3f}", f"1/{theirs / ours:.0f}"],
            ["mlip-sse, table with all kinks and equations", f"{whole:.3f}", f"1/{theirs / whole:.0f}"],
            ["pymatgen InterfacialReactivity, hull made once", f"{theirs:.2f}", "1"],
        ]
    )
    print("\n".join(lines))
    print(f"largest difference: {1e3 * np.abs(table - expected).max():.1e} meV/atom")
    return 0


def _drawn(path: Path) -> tuple[list[str], list[str]]:
    """Draw compounds of negative formation energy; pymatgen puts the hull in the place of the others."""
    from mlip_sse.analysis.reactions import ConvexHull, read_phases

    hull = ConvexHull(read_phases(path))
    energies = zip(hull.candidates, hull.formation_energies.tolist(), strict=True)
    names = [phase.formula for phase, energy in energies if energy < -1e-8]
    picked = np.random.default_rng(1).choice(len(names), 2 * _N_SIDE, replace=False)
    return [names[i] for i in picked[:_N_SIDE]], [names[i] for i in picked[_N_SIDE:]]


Make = Callable[[list[str], list[str]], NDArray[np.float64]]


def _measured(make: Make, rows: list[str], columns: list[str]) -> tuple[float, NDArray[np.float64]]:
    make(rows[:1], columns[:1])
    seconds = []
    for _ in range(_REPEATS):
        start = time.process_time()
        table = make(rows, columns)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), table


def _table(path: Path) -> Make:
    from mlip_sse.analysis.reactions import ConvexHull, PhaseSet, read_phases, screen

    phases = read_phases(path).phases
    return lambda rows, columns: screen(ConvexHull(PhaseSet(phases)), rows, columns).reaction_energies


def _with_equations(path: Path) -> Make:
    from mlip_sse.analysis.reactions import ConvexHull, PhaseSet, react, read_phases

    phases = read_phases(path).phases

    def make(rows: list[str], columns: list[str]) -> NDArray[np.float64]:
        hull = ConvexHull(PhaseSet(phases))
        return np.array([[react(hull, a, b).reaction_energy_ev_atom.value for b in columns] for a in rows])

    return make


def _pymatgen(path: Path) -> Make:
    from pymatgen.analysis.interface_reactions import InterfacialReactivity
    from pymatgen.analysis.phase_diagram import PhaseDiagram
    from pymatgen.core import Composition
    from pymatgen.core.entries import ComputedEntry

    entries = [ComputedEntry.from_dict(entry) for entry in json.loads(path.read_text())]

    def make(rows: list[str], columns: list[str]) -> NDArray[np.float64]:
        diagram = PhaseDiagram(entries)
        pairs = [[InterfacialReactivity(Composition(a), Composition(b), diagram) for b in columns] for a in rows]
        return np.array([[min(float(pair.minimum[1]), 0.0) for pair in row] for row in pairs])

    return make


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1:]))
