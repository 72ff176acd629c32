"""Run an interface in time on the engine's md lane: the relaxed cell first, then each temperature and seed."""

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlip_sse.analysis.results import Quality, Verdict
from mlip_sse.engine import Engine, EngineSpec, Outcome, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import SpecError
from mlip_sse.md_protocols.force_source import ForceSource, force_source
from mlip_sse.md_protocols.interface_decks import heat_deck, production_deck, settle_deck
from mlip_sse.md_protocols.interface_layers import Layers, TwoSidedCell, thermostat_layers
from mlip_sse.md_protocols.interface_parts import Convergence, Part, RelaxedPart, relax_parts
from mlip_sse.md_protocols.interface_specs import InterfaceAnnealSpec, InterfaceDynamicsSpec
from mlip_sse.md_protocols.interface_start import interface_at_rest
from mlip_sse.md_protocols.interface_state import run_verdict
from mlip_sse.potentials import LammpsInput, Potential
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.provenance import Provenance, sha256_of_file

__all__ = ["Annealed", "InterfaceAnnealResult", "anneal_interface", "run_interface_anneal"]

_STRESS_GPA = 0.05
_TELL = Callable[[str, TaskProgress], None]


@dataclass(frozen=True)
class Annealed:
    """An annealed interface.

    Parameters
    ----------
    cell
        The relaxed start: ``structure`` (with ``side``), energy, atoms, layers of the thermostats, planes.
    runs
        One for each temperature and seed: ``trajectory``, ``preparation``, ``state`` and ``structure`` as paths,
        temperatures, energy, heat that left, pressure, ``grades``, ``quality`` and ``reasons``.
    n_reused
        How many tasks had been done by an earlier call.
    """

    cell: dict[str, Any]
    runs: tuple[dict[str, Any], ...]
    n_reused: int

    @property
    def verdict(self) -> Verdict:
        """The worst of all runs, refused where all are."""
        found = Verdict()
        for reason in self.cell["reasons"]:
            found = found.weaken(f"the start: {reason}")
        for run in self.runs:
            for reason in run["reasons"]:
                found = found.weaken(f"{run['temperature_k']:g} K, seed {run['seed']}: {reason}")
        if all(run["quality"] == Quality.REFUSED for run in self.runs):
            return Verdict(Quality.REFUSED, found.reasons)
        return found


@dataclass(frozen=True)
class InterfaceAnnealResult:
    """What annealing left.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    interface
        How it was built: strain, area, terminations; None where the protocol gave a configuration.
    cell, runs, n_reused
        As in `Annealed`.
    verdict
        Refused where no run gave a trajectory.
    """

    folder: str
    potential: str
    interface: dict[str, Any] | None
    cell: dict[str, Any]
    runs: tuple[dict[str, Any], ...]
    verdict: Verdict
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_refused(self) -> bool:
        """Whether there is no trajectory."""
        return self.verdict.quality == Quality.REFUSED

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        names = ("folder", "potential", "interface", "cell", "runs")
        plain = {name: to_plain(getattr(self, name)) for name in names}
        plain |= {"quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}
        return {**plain, "n_reused": self.n_reused, "provenance": to_plain(self.provenance)}


def run_interface_anneal(
    spec: InterfaceAnnealSpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: Engine | EngineSpec | dict[str, Any] | str | Path | None = None,
    progress: _TELL | None = None,
) -> InterfaceAnnealResult:
    """Build an interface and follow it at each temperature and seed; what is finished is never run again.

    Parameters
    ----------
    spec
        The protocol.
    folder
        Task folders go into ``tasks/``; a potential that lies nowhere yet goes into ``potential/``.
    potential
        Another potential than the one the protocol names.
    engine
        Where tasks run; this machine, one thread each, if not given. One that is open keeps its own folder, and stays
        open.
    progress
        Called as tasks end with the stage: ``bulks``, ``relax`` or ``anneal``.

    Raises
    ------
    SpecError
        When a temperature lies outside the potential's domain.
    InputError
        When no interface can be built, a side is too thin, or the potential does not know an element.
    RunError
        When a relaxation fails, or LAMMPS fails for another reason than its atoms.
    """
    source = force_source(spec.potential if potential is None else potential, folder)
    _potential_of(source).require_temperatures("temperatures_k", spec.temperatures_k)
    limit_s, built, n_before = spec.time_limit_hours * 3600, None, 0
    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:
        if spec.configuration is not None:
            cell = TwoSidedCell.read(spec.configuration)
        else:
            told = None if progress is None else (lambda state: progress("bulks", state))
            built, n_before = interface_at_rest(spec.interface, source, lanes, time_limit_s=limit_s, progress=told)
            cell = TwoSidedCell.of(built)
        found = anneal_interface(cell, spec, source, lanes, time_limit_s=limit_s, progress=progress)
    return InterfaceAnnealResult(
        folder=os.fspath(folder),
        potential=source.name,
        interface=None if built is None else built.to_dict(),
        cell=found.cell,
        runs=found.runs,
        verdict=found.verdict,
        n_reused=n_before + found.n_reused,
        provenance=Provenance(settings=spec.model_dump(mode="json")),
    )


def anneal_interface(
    cell: TwoSidedCell,
    spec: InterfaceDynamicsSpec,
    source: ForceSource,
    engine: Engine,
    *,
    time_limit_s: float = 86400.0,
    progress: _TELL | None = None,
) -> Annealed:
    """Relax a two-sided cell and follow it at each temperature and seed, on an open engine.

    Parameters
    ----------
    cell
        The cell, `TwoSidedCell.of` an interface that was built.
    spec
        Temperatures, seeds, durations.
    source
        The potential, `force_source` of its folder.
    engine
        Stays open.
    time_limit_s
        Of one run.
    progress
        As in `run_interface_anneal`.

    Raises
    ------
    InputError
        When a side is too thin for a layer that a thermostat may hold, or the potential does not know an element.
    RunError
        When a relaxation fails, or LAMMPS fails for another reason than its atoms.
    """
    lines = _potential_of(source).lammps_for(cell.atoms.get_chemical_symbols())
    is_fixed = spec.is_fixed(thermostat_layers(cell, spec.newtonian_a).has_vacuum)
    settings = {
        "executable": os.fspath(find_executable().absolute()),
        "files": {sha256_of_file(file): os.fspath(file) for file in lines.files},
        **source.settings,
    }
    work = Work("mlip_sse.md_protocols.interface_anneal_tasks:start", settings, time_limit_s, "interface_anneal")

    def told(stage: str) -> Callable[[TaskProgress], None] | None:
        return None if progress is None else (lambda state: progress(stage, state))

    goal = Convergence("lbfgs", spec.relax_fmax, _STRESS_GPA, spec.relax_steps, spec.pressure_gpa)
    parts = {"cell": _to_relax(cell, is_fixed)}
    relaxed, n_before = relax_parts(parts, goal, source, engine, time_limit_s=time_limit_s, progress=told("relax"))
    start = TwoSidedCell(relaxed["cell"].atoms, cell.side)
    layers = thermostat_layers(start, spec.newtonian_a)
    head: dict[str, Any] = {"potential": source.digest, "data": data_text(start.atoms, lines)}
    head |= {"files": {file.name: sha256_of_file(file) for file in lines.files}}
    n_atoms = len(start.atoms)
    head |= {"timestep_fs": spec.timestep_fs, "n_atoms": n_atoms, "n_inner": n_atoms - layers.n_a - layers.n_b}
    inputs = [{**head, **label, "stages": _stages(spec, lines, layers, label)} for label in spec.labels]
    outcomes = engine.run("md", work, inputs, min_success=1.0, progress=told("anneal"))
    metals, figures = _metals(start), _described(cell, relaxed["cell"], layers)
    runs = tuple(
        _with_verdict(spec, {**label, **_with_places(outcome, figures["structure"])}, layers, metals)
        for label, outcome in zip(spec.labels, outcomes, strict=True)
    )
    return Annealed(figures, runs, n_before + outcomes.n_reused)


def _stages(
    spec: InterfaceDynamicsSpec, lines: LammpsInput, layers: Layers, label: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Return the decks of one run in their order, each with its name."""
    temperature_k, seed = float(label["temperature_k"]), int(label["seed"])
    heat = heat_deck(spec, lines, temperature_k, is_fixed=spec.is_fixed(layers.has_vacuum))
    stages = [
        {"name": "settle", "deck": settle_deck(spec, lines, temperature_k, seed)},
        {"name": "heat", "deck": heat},
    ]
    for index in range(len(spec.segments)):
        deck = production_deck(spec, lines, layers, temperature_k, seed, index)
        stages.append({"name": f"segment_{index:04d}", "deck": deck})
    return stages


def _potential_of(source: ForceSource) -> Potential:
    if source.potential is None:
        raise SpecError(f"potential: found {source.name}, expected a potential: LAMMPS moves the atoms")
    return source.potential


def _to_relax(cell: TwoSidedCell, is_fixed: bool) -> Part:
    """Return the cell in the axes of LAMMPS, its first vector along x, to be relaxed before it moves."""
    vectors, _ = cell.atoms.cell.standard_form()
    positions = cell.atoms.get_scaled_positions() @ vectors.array
    atoms = Atoms(cell.atoms.get_chemical_symbols(), positions=positions, cell=vectors, pbc=True)
    return Part(atoms, ("fixed",) if is_fixed else ("fixed", "normal"), cell.side)


def _with_places(outcome: Outcome, structure: str) -> dict[str, Any]:
    found, folder = outcome.result(), outcome.folder.path
    for name in ("trajectory", "preparation", "state"):
        found[name] = None if found[name] is None else os.fspath(folder / found[name])
    return {**found, "structure": structure}


def _with_verdict(
    spec: InterfaceDynamicsSpec, run: dict[str, Any], layers: Layers, metals: list[str]
) -> dict[str, Any]:
    verdict = run_verdict(run, pressure_gpa=spec.pressure_gpa, is_fixed=spec.is_fixed(layers.has_vacuum), metals=metals)
    return {**run, "quality": str(verdict.quality), "reasons": list(verdict.reasons)}


def _metals(cell: TwoSidedCell) -> list[str]:
    """Return the elements of the sides that consist of one element."""
    symbols = np.array(cell.atoms.get_chemical_symbols())
    sides = [sorted(set(symbols[cell.side == side].tolist())) for side in (0, 1)]
    return sorted({found[0] for found in sides if len(found) == 1})


def _described(before: TwoSidedCell, relaxed: RelaxedPart, layers: Layers) -> dict[str, Any]:
    """Return the figures of the relaxed cell."""
    vectors = relaxed.atoms.cell.array
    figures = relaxed.to_dict()
    return {
        "structure": figures.pop("file"),
        **figures,
        "n_atoms_of_side": [int((before.side == side).sum()) for side in (0, 1)],
        "area_a2": float(np.linalg.norm(np.cross(vectors[0], vectors[1]))),
        "height_a": float(vectors[2, 2]),
        "height_change": float(vectors[2, 2] / before.atoms.cell[2, 2]) - 1,
        "n_interfaces": len(layers.planes),
        "planes": list(layers.planes),
        "thermostat_layers": {"a": [layers.a.low, layers.a.high], "b": [layers.b.low, layers.b.high]},
        "n_atoms_of_layer": [layers.n_a, layers.n_b],
    }
