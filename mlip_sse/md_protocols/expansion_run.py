"""Run thermal expansion on the engine's md lane: one cell a temperature, then the tensor and the moduli of all."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism
from numpy.typing import NDArray

from mlip_sse.analysis.mechanics.crystal_symmetry import crystal_symmetry
from mlip_sse.analysis.mechanics.expansion import ThermalExpansion, thermal_expansion
from mlip_sse.analysis.mechanics.strain_fluctuations import FluctuationStiffness, fluctuation_stiffness
from mlip_sse.analysis.results import Verdict, to_plain
from mlip_sse.engine import Engine, EngineSpec, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.md_protocols.expansion_specs import ThermalExpansionSpec
from mlip_sse.md_protocols.expansion_tasks import expansion_deck, read_cells
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.provenance import Provenance, sha256_of_file

__all__ = ["ThermalExpansionResult", "run_thermal_expansion"]


@dataclass(frozen=True)
class ThermalExpansionResult:
    """What dynamics at constant pressure says of expansion and stiffness.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    runs
        One for each temperature: mean volume, frames, ``ended`` with the reason of an early end, and ``moduli`` from
        the fluctuations of the cell.
    expansion
        None where fewer than three temperatures are left.
    verdict
        Of the expansion; each run's moduli have one of their own.
    n_reused
        How many runs had been done by an earlier call.
    """

    folder: str
    potential: str
    runs: tuple[dict[str, Any], ...]
    expansion: ThermalExpansion | None
    verdict: Verdict
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_refused(self) -> bool:
        """Whether there is no coefficient."""
        return self.verdict.quality == "refused"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        names = ("folder", "potential", "runs", "expansion", "n_reused", "provenance")
        plain = {name: to_plain(getattr(self, name)) for name in names}
        return {**plain, "quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}


def run_thermal_expansion(
    spec: ThermalExpansionSpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: Engine | EngineSpec | dict[str, Any] | str | Path | None = None,
    progress: Callable[[str, TaskProgress], None] | None = None,
) -> ThermalExpansionResult:
    """Run each temperature, and analyse all; finished temperatures are never run again.

    Parameters
    ----------
    spec
        The protocol.
    folder
        Task folders go into ``tasks/``.
    potential
        Another potential than the one the protocol names.
    engine
        Where tasks run; this machine, one thread each, if not given. One that is open stays open.
    progress
        Called as tasks end with the stage, ``cells``.

    Raises
    ------
    SpecError
        When a temperature lies outside the potential's domain.
    RunError
        When LAMMPS fails for another reason than its atoms.
    """
    chosen = spec.potential if potential is None else potential
    model = chosen if isinstance(chosen, Potential) else load_potential(chosen)
    model.require_temperatures("temperatures_k", spec.temperatures_k)
    densities = spec.structure.density_g_cm3
    atoms = build_structure(spec.structure, None if densities is None else densities[0])
    lines = model.lammps_for(atoms.get_chemical_symbols())
    digests = {file.name: sha256_of_file(file) for file in lines.files}
    settings = {
        "executable": os.fspath(find_executable().absolute()),
        "files": {digests[file.name]: os.fspath(file) for file in lines.files},
    }
    work = Work(
        "mlip_sse.md_protocols.expansion_tasks:start", settings, spec.time_limit_hours * 3600, "thermal_expansion"
    )
    data = data_text(atoms, lines)
    inputs = [{"deck": expansion_deck(spec, lines, t), "data": data, "files": digests} for t in spec.temperatures_k]
    told = None if progress is None else (lambda state: progress("cells", state))
    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:
        outcomes = lanes.run("md", work, inputs, min_success=1.0, progress=told)
    figures = [outcome.result() for outcome in outcomes]
    cells = [
        read_cells(outcome.folder.path) if each["ended"] is None else None
        for outcome, each in zip(outcomes, figures, strict=True)
    ]
    runs, expansion, verdict = _analysed(spec, atoms, figures, cells)
    return ThermalExpansionResult(
        os.fspath(folder),
        model.card.name,
        runs,
        expansion,
        verdict,
        outcomes.n_reused,
        Provenance(settings=spec.model_dump(mode="json")),
    )


def _analysed(
    spec: ThermalExpansionSpec,
    atoms: Atoms,
    figures: list[dict[str, Any]],
    cells: list[NDArray[np.float64] | None],
) -> tuple[tuple[dict[str, Any], ...], ThermalExpansion | None, Verdict]:
    rotations = _rotations(spec, atoms)
    verdict, kept, runs = Verdict(), [], []
    for kelvin, figure, each in zip(spec.temperatures_k, figures, cells, strict=True):
        run = {"temperature_k": kelvin, **figure, "moduli": None}
        if each is None:
            verdict = verdict.weaken(f"{kelvin:g} K left out: {figure['ended']['reason']}")
        else:
            kept.append((kelvin, each))
            run["moduli"] = _moduli(fluctuation_stiffness(each, kelvin, rotations))
        runs.append(run)
    if len(kept) < 3:
        return tuple(runs), None, verdict.refuse(f"found {len(kept)} temperatures that ran, expected 3 or more")
    kelvins, frames = zip(*kept, strict=True)
    found = thermal_expansion(kelvins, frames, rotations, reference_k=spec.reference_k, order=spec.order)
    for reason in found.verdict.reasons:
        verdict = verdict.refuse(reason) if found.verdict.quality == "refused" else verdict.weaken(reason)
    return tuple(runs), found, verdict


def _moduli(found: FluctuationStiffness) -> dict[str, Any]:
    return {
        "moves": found.moves,
        "stiffness_gpa": found.stiffness_gpa,
        **found.moduli,
        "n_independent": found.n_independent,
        "quality": str(found.verdict.quality),
        "reasons": list(found.verdict.reasons),
    }


def _rotations(spec: ThermalExpansionSpec, atoms: Atoms) -> NDArray[np.float64]:
    """Return the point group of the start in the axes of LAMMPS."""
    lx, ly, lz, xy, xz, yz = Prism(atoms.cell.array).get_lammps_prism()
    cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
    return crystal_symmetry(
        cell, atoms.get_scaled_positions(), atoms.numbers.tolist(), spec.symmetry_tolerance_a
    ).rotations
