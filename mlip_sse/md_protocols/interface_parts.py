"""Parts of an interface relaxed, each a task of its own: bulks, slabs, and the cell with both.

A part is relaxed in stages: positions alone first, say, then positions and height. The area of a cell never changes: it
is what the sides have in common. The engine does parts as tasks, so that none is relaxed twice; `relax_part` does one
with any calculator.
"""

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.engine import Engine, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import InputError
from mlip_sse.md_protocols.force_source import ForceSource
from mlip_sse.md_protocols.plain_atoms import atoms_from_plain, atoms_to_plain
from mlip_sse.md_protocols.relaxation import CellRelaxation, Optimizer, relax_atoms
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["PART_FILE", "Convergence", "Part", "RelaxedPart", "relax_part", "relax_parts", "start"]

PART_FILE = "relaxed.extxyz"


@dataclass(frozen=True)
class Convergence:
    """When a part counts as relaxed.

    Parameters
    ----------
    optimizer
        ``lbfgs`` or ``fire``.
    fmax
        Largest force on an atom that is left, in eV/Å.
    stress_tolerance_gpa
        Largest stress left where the height relaxes.
    max_steps
        Steps after which a stage is refused.
    pressure_gpa
        Pressure along z.
    """

    optimizer: Optimizer = "lbfgs"
    fmax: float = 0.02
    stress_tolerance_gpa: float = 0.02
    max_steps: int = 500
    pressure_gpa: float = 0.0


@dataclass(frozen=True, eq=False)
class Part:
    """A structure and how it is relaxed.

    Parameters
    ----------
    atoms
        Where it starts.
    stages
        What of the cell relaxes, one stage after the other; none leaves everything as it stands.
    side
        (n_atoms,) of a cell with two sides, kept in the file of the relaxed structure; None for others.
    """

    atoms: Atoms
    stages: tuple[CellRelaxation, ...]
    side: NDArray[np.int8] | None = None


@dataclass(frozen=True, eq=False)
class RelaxedPart:
    """Where a part ended.

    Parameters
    ----------
    atoms
        The relaxed structure, with ``side`` where the part had one.
    energy_ev, max_force_ev_a, pressure_z_gpa
        Of it.
    reasons
        Why it does not count as relaxed; empty where it does.
    file
        Where it lies; None without an engine.
    """

    atoms: Atoms
    energy_ev: float
    max_force_ev_a: float
    pressure_z_gpa: float
    reasons: tuple[str, ...]
    file: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, and where the structure lies."""
        names = ("energy_ev", "max_force_ev_a", "pressure_z_gpa", "file")
        plain = {name: getattr(self, name) for name in names}
        return {"n_atoms": len(self.atoms), **plain, "reasons": list(self.reasons)}


def relax_part(part: Part, calculator: Any, goal: Convergence) -> RelaxedPart:
    """Relax one part with any ASE calculator; without a stage, evaluate it.

    Raises
    ------
    InputError
        When atoms overlap.
    RunError
        When the first evaluation fails.
    """
    atoms = part.atoms.copy()
    reasons: tuple[str, ...] = ()
    for stage in part.stages:
        found = relax_atoms(
            atoms,
            calculator,
            cell=stage,
            optimizer=goal.optimizer,
            fmax=goal.fmax,
            stress_tolerance_gpa=goal.stress_tolerance_gpa,
            pressure_gpa=goal.pressure_gpa if stage == "normal" else 0.0,
            max_steps=goal.max_steps,
        )
        atoms, reasons = found.atoms, found.verdict.reasons
    atoms.calc = calculator
    energy, force = float(atoms.get_potential_energy()), float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    push = float(-atoms.get_stress()[2] * EV_PER_A3_TO_GPA)
    clean = Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=True)
    if part.side is not None:
        clean.set_array("side", np.asarray(part.side, dtype=np.int8))
    return RelaxedPart(clean, energy, force, push, tuple(reasons))


def relax_parts(
    parts: Mapping[str, Part],
    goal: Convergence,
    source: ForceSource,
    engine: Engine,
    *,
    time_limit_s: float = 86400.0,
    progress: Callable[[TaskProgress], None] | None = None,
) -> tuple[dict[str, RelaxedPart], int]:
    """Relax parts on an open engine, each once; return them, and how many had been done by an earlier call.

    Raises
    ------
    RunError
        When a task fails.
    """
    work = Work("mlip_sse.md_protocols.interface_parts:start", source.settings, time_limit_s, "interface_part")
    head = {"potential": source.digest, "goal": vars(goal)}
    inputs = [{**head, **_plain(part)} for part in parts.values()]
    outcomes = engine.run("md", work, inputs, min_success=1.0, progress=progress)
    relaxed = {}
    for (name, part), outcome in zip(parts.items(), outcomes, strict=True):
        found = outcome.result()
        atoms = atoms_from_plain(found)
        if part.side is not None:
            atoms.set_array("side", np.asarray(part.side, dtype=np.int8))
        energy, force, push = (float(found[key]) for key in ("energy_ev", "max_force_ev_a", "pressure_z_gpa"))
        file = os.fspath(outcome.folder.path / PART_FILE)
        relaxed[name] = RelaxedPart(atoms, energy, force, push, tuple(found["reasons"]), file)
    return relaxed, outcomes.n_reused


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that relaxes one part; ``settings`` say where its forces come from."""
    source = ForceSource(settings)
    digest = source.digest

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        if inputs["potential"] != digest:
            raise InputError(f"{source.name} is not what this task was made for: make the tasks anew")
        side = None if inputs["side"] is None else np.array(inputs["side"], dtype=np.int8)
        part = Part(atoms_from_plain(inputs), tuple(inputs["stages"]), side)
        found = relax_part(part, source.calculator(), Convergence(**inputs["goal"]))
        _write(found.atoms, folder / PART_FILE)
        return {**_plain(Part(found.atoms, part.stages, side)), **found.to_dict()}

    return run


def _plain(part: Part) -> dict[str, Any]:
    side = None if part.side is None else part.side.tolist()
    return {**atoms_to_plain(part.atoms), "stages": list(part.stages), "side": side}


def _write(atoms: Atoms, path: Path) -> None:
    from ase.io import write

    text = io.StringIO()
    write(text, atoms, format="extxyz")
    part = path.with_name(f"{path.name}.part")
    part.write_text(text.getvalue(), encoding="utf-8")
    os.replace(part, path)
