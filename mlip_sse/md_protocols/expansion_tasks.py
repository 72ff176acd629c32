"""The tasks of thermal expansion, done by the engine's md lane: the cell at one temperature and constant pressure."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.md_protocols.bulk_decks import CELL_FILE
from mlip_sse.md_protocols.deck import number_text, seeds_of
from mlip_sse.md_protocols.expansion_specs import ThermalExpansionSpec
from mlip_sse.md_protocols.segment_decks import (
    BAROSTAT_PS,
    BARS_PER_GPA,
    DAMP_PS,
    guard_lines,
    head_lines,
    potential_lines,
    velocity_line,
)
from mlip_sse.md_protocols.segment_runs import SegmentRunner
from mlip_sse.potentials import LammpsInput

__all__ = ["expansion_deck", "read_cells", "start"]

_PLACE = "run"
_SIDES = ("lx", "ly", "lz", "xy", "xz", "yz")


def expansion_deck(spec: ThermalExpansionSpec, lines: LammpsInput, temperature_k: float) -> str:
    """Return the deck that settles at constant pressure, then reads the cell."""
    span = f"{number_text(temperature_k)} {number_text(temperature_k)}"
    push = number_text(spec.pressure_gpa * BARS_PER_GPA)
    barostat = {"isotropic": "iso", "orthogonal": "aniso", "triclinic": "tri"}[spec.cell]
    settle, sample = spec.steps(spec.equilibration_ps), spec.steps(spec.sampling_ps)
    return "\n".join(
        [
            *head_lines(lines),
            *(["change_box all triclinic"] if spec.cell == "triclinic" else []),
            *potential_lines(lines, spec.timestep_fs, sample),
            velocity_line(temperature_k, seeds_of(spec.seed, temperature_k)[0]),
            # A flipped cell would be another one to whoever compares it with the first.
            f"fix move all npt temp {span} {number_text(DAMP_PS)} {barostat} {push} {push} {BAROSTAT_PS}"
            + (" flip no" if spec.cell == "triclinic" else ""),
            *guard_lines(temperature_k),
            f"run {settle}",
            "reset_timestep 0 time 0.0",
            *(f"variable {side} equal {side}" for side in _SIDES),
            f"fix cell all ave/time {spec.every} 1 {spec.every} {' '.join(f'v_{side}' for side in _SIDES)} "
            f"file {CELL_FILE} format ' %.12g'",
            f"run {sample}",
            'print "mlip-sse: finished"',
            "",
        ]
    )


def read_cells(folder: Path) -> NDArray[np.float64]:
    """Return the cells (n_frames, 3, 3) of a finished task, lattice vectors as rows in Å, in the axes of LAMMPS."""
    lx, ly, lz, xy, xz, yz = np.loadtxt(folder / _PLACE / CELL_FILE)[1:, 1:].T
    cells = np.zeros((len(lx), 3, 3))
    cells[:, 0, 0], cells[:, 1, 1], cells[:, 2, 2] = lx, ly, lz
    cells[:, 1, 0], cells[:, 2, 0], cells[:, 2, 1] = xy, xz, yz
    return cells


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that does one task.

    Parameters
    ----------
    settings
        ``executable`` of LAMMPS, and ``files``: where the files of the potentials lie, by their sha256.
    """
    executable, places = str(settings["executable"]), dict(settings["files"])

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        work = SegmentRunner(executable, places, inputs["files"], inputs["data"])
        place = folder / _PLACE
        ended = None if place.exists() else work.run(place, inputs["deck"])
        if ended is not None:
            return {"ended": {"kind": ended[0], "reason": ended[1]}, "n_frames": 0, "volume_a3": None}
        cells = read_cells(folder)
        return {"ended": None, "n_frames": len(cells), "volume_a3": float(np.linalg.det(cells).mean())}

    return run
