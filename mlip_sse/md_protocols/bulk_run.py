"""Run bulk diffusion on the engine's md lane: the mean cell of each temperature, then production at each seed."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlip_sse.engine import Engine, EngineSpec, Outcomes, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import RunError, SpecError
from mlip_sse.md_protocols.bulk_decks import cell_deck, segment_deck
from mlip_sse.md_protocols.bulk_specs import BulkDiffusionSpec
from mlip_sse.md_protocols.deck import TRAJECTORY_FILE
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import LammpsInput, Potential, load_potential
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.provenance import Provenance, sha256_of_file

__all__ = ["BulkDiffusionResult", "run_bulk_diffusion"]


@dataclass(frozen=True)
class BulkDiffusionResult:
    """What bulk diffusion left.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    cells
        One for each temperature: the mean sides (lx, ly, lz, xy, xz, yz in Å) and the volume, with standard errors.
    runs
        One for each temperature and seed: frames, means, ``trajectory``, and ``ended`` with the reason of an early end.
    n_reused
        How many of all these had been done by an earlier call.
    """

    folder: str
    potential: str
    cells: tuple[dict[str, Any], ...]
    runs: tuple[dict[str, Any], ...]
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        names = ("folder", "potential", "cells", "runs", "n_reused", "provenance")
        return {name: to_plain(getattr(self, name)) for name in names}


def run_bulk_diffusion(
    spec: BulkDiffusionSpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: EngineSpec | dict[str, Any] | str | Path | None = None,
    progress: Callable[[str, TaskProgress], None] | None = None,
) -> BulkDiffusionResult:
    """Run bulk diffusion; finished cells, runs and segments are never run again.

    Parameters
    ----------
    spec
        The protocol.
    folder
        Task folders go into ``tasks/``.
    potential
        Another potential than the one the protocol names.
    engine
        Where tasks run; this machine, one thread each, if not given.
    progress
        Called as tasks end with the stage, ``cell`` or ``production``.

    Raises
    ------
    SpecError
        When a temperature lies outside the potential's domain.
    RunError
        When LAMMPS fails for another reason than its atoms, or a mean cell could not be found.
    """
    chosen = spec.potential if potential is None else potential
    model = chosen if isinstance(chosen, Potential) else load_potential(chosen)
    low, high = model.card.temperature_k
    if outside := [f"{t:g}" for t in spec.temperatures_k if not low <= t <= high]:
        raise SpecError(f"temperatures_k: found {', '.join(outside)} K, but the potential holds {low:g} to {high:g} K")
    densities = spec.structure.density_g_cm3
    atoms = build_structure(spec.structure, None if densities is None else densities[0])
    lines = model.lammps(tuple(dict.fromkeys(atoms.get_chemical_symbols())))
    files = {file.name: sha256_of_file(file) for file in lines.files}
    settings = {"executable": os.fspath(find_executable().absolute()), "files": [os.fspath(f) for f in lines.files]}
    work = Work("mlip_sse.md_protocols.bulk_tasks:start", settings, spec.time_limit_hours * 3600, "bulk_diffusion")
    with Engine(folder, engine) as lanes:

        def done(stage: str, inputs: list[dict[str, Any]]) -> Outcomes:
            told = None if progress is None else (lambda state: progress(stage, state))
            return lanes.run("md", work, inputs, min_success=1.0, progress=told)

        data = data_text(atoms, lines)
        decks = [cell_deck(spec, lines, t) for t in spec.temperatures_k]
        cells = done("cell", [{"kind": "cell", "deck": deck, "data": data, "files": files} for deck in decks])
        found = [_cell(outcome.result(), t) for outcome, t in zip(cells, spec.temperatures_k, strict=True)]
        inputs = [
            {
                "kind": "production",
                "files": files,
                "data": data_text(_with_cell(atoms, sides, spec), lines),
                "decks": decks,
            }
            for sides, decks in _productions(spec, lines, found)
        ]
        runs = done("production", inputs)
    labels = [{"temperature_k": t, "seed": seed} for t in spec.temperatures_k for seed in spec.seeds]
    figures = tuple(
        {**label, **outcome.result(), "trajectory": os.fspath(outcome.folder.path / TRAJECTORY_FILE)}
        for label, outcome in zip(labels, runs, strict=True)
    )
    n_reused = cells.n_reused + runs.n_reused
    provenance = Provenance(settings=spec.model_dump(mode="json"))
    return BulkDiffusionResult(os.fspath(folder), model.card.name, tuple(found), figures, n_reused, provenance)


def _productions(
    spec: BulkDiffusionSpec, lines: LammpsInput, cells: list[dict[str, Any]]
) -> Iterator[tuple[Any, list[str]]]:
    """Yield, for each temperature and seed, the sides of the cell (Å) and the decks of the segments."""
    for temperature_k, cell in zip(spec.temperatures_k, cells, strict=True):
        for seed in spec.seeds:
            yield (
                cell["cell_sides_a"],
                [
                    segment_deck(spec, lines, temperature_k, seed, n_steps, is_first=index == 0)
                    for index, n_steps in enumerate(spec.segments)
                ],
            )


def _cell(result: dict[str, Any], temperature_k: float) -> dict[str, Any]:
    if result["ended"] is not None:
        raise RunError(f"no mean cell at {temperature_k:g} K: {result['ended']['kind']}, {result['ended']['reason']}")
    return {"temperature_k": temperature_k, **result}


def _with_cell(atoms: Atoms, sides: list[float], spec: BulkDiffusionSpec) -> Atoms:
    """Return the atoms scaled to a mean cell; where the volume alone moved, the shape stays exactly as it was."""
    lx, ly, lz, xy, xz, yz = sides
    scaled = atoms.copy()
    if spec.cell == "isotropic":
        cell = atoms.cell.array * np.cbrt(lx * ly * lz / atoms.get_volume())
    else:
        cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
    scaled.set_cell(cell, scale_atoms=True)
    return scaled
