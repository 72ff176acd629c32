"""Run melt-quench glasses on the engine's md lane, one task for each seed, and put them together."""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.engine import Engine, EngineSpec, Outcome, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import SpecError
from mlip_sse.md_protocols.melt_specs import MeltQuenchSpec
from mlip_sse.md_protocols.melt_tasks import segment_deck
from mlip_sse.md_protocols.relaxation import closest_pair
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import LammpsInput, Potential, load_potential
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.provenance import Provenance, sha256_of_file

__all__ = ["MeltQuenchResult", "run_melt_quench"]

_FASTEST_K_PS = 10.0
_CONFIDENCE = 0.95
_FEW_ATOMS = 200


@dataclass(frozen=True)
class MeltQuenchResult:
    """Glasses of one composition.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    n_atoms
        In each glass.
    quench_rate_k_ps
        K/ps.
    glasses
        One for each seed: the melt's displacements, density, ``structure``, ``trajectory``, and ``ended`` with the
        reason where there is no glass.
    density_g_cm3
        Mean over the glasses with its interval; None where there is none.
    verdict
        Refused where no seed gave a glass.
    n_reused
        How many glasses had been made by an earlier call.
    """

    folder: str
    potential: str
    n_atoms: int
    quench_rate_k_ps: float
    glasses: tuple[dict[str, Any], ...]
    density_g_cm3: Interval | None
    verdict: Verdict
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_refused(self) -> bool:
        """Whether there is no glass."""
        return self.verdict.quality == "refused"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        names = ("folder", "potential", "n_atoms", "quench_rate_k_ps", "glasses", "density_g_cm3")
        plain = {name: to_plain(getattr(self, name)) for name in names}
        plain |= {"quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}
        return {**plain, "n_reused": self.n_reused, "provenance": to_plain(self.provenance)}


def run_melt_quench(
    spec: MeltQuenchSpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: Engine | EngineSpec | dict[str, Any] | str | Path | None = None,
    progress: Callable[[str, TaskProgress], None] | None = None,
) -> MeltQuenchResult:
    """Make a glass for each seed; finished glasses and segments are never run again.

    Parameters
    ----------
    spec
        The protocol.
    folder
        Task folders go into ``tasks/``.
    potential
        Another potential than the one the protocol names.
    engine
        Where tasks run; this machine, one thread each, if not given. One that is open keeps its own folder, and stays
        open.
    progress
        Called as tasks end with the stage, ``glasses``.

    Raises
    ------
    SpecError
        When a temperature lies outside the potential's domain.
    InputError
        When the potential does not know an element.
    RunError
        When LAMMPS fails for another reason than its atoms.
    """
    chosen = spec.potential if potential is None else potential
    model = chosen if isinstance(chosen, Potential) else load_potential(chosen)
    _check_domain(spec, model)
    atoms = _expanded(spec)
    lines = model.lammps_for(atoms.get_chemical_symbols())
    inputs = _inputs(spec, atoms, lines)
    settings = {
        "executable": os.fspath(find_executable().absolute()),
        "files": {sha256_of_file(file): os.fspath(file) for file in lines.files},
    }
    limit_s = spec.time_limit_hours * 3600
    work = Work("mlip_sse.md_protocols.melt_tasks:start", settings, limit_s, "melt_quench")
    told = None if progress is None else (lambda state: progress("glasses", state))
    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:
        outcomes = lanes.run("md", work, inputs, min_success=1.0, progress=told)
    glasses = tuple(_figures(seed, outcome) for seed, outcome in zip(spec.seeds, outcomes, strict=True))
    density, verdict = _together(spec, glasses, len(atoms))
    return MeltQuenchResult(
        folder=os.fspath(folder),
        potential=model.card.name,
        n_atoms=len(atoms),
        quench_rate_k_ps=spec.quench_rate_k_ps,
        glasses=glasses,
        density_g_cm3=density,
        verdict=verdict,
        n_reused=outcomes.n_reused,
        provenance=Provenance(settings=spec.model_dump(mode="json")),
    )


def _check_domain(spec: MeltQuenchSpec, model: Potential) -> None:
    low, high = model.card.temperature_k
    for name in ("melt_temperature_k", "end_temperature_k"):
        if not low <= (found := getattr(spec, name)) <= high:
            raise SpecError(f"{name}: found {found:g} K, but the potential holds {low:g} to {high:g} K")


def _expanded(spec: MeltQuenchSpec) -> Atoms:
    """Return the crystal, scaled to the volume it melts from: without room it would melt late, under pressure."""
    densities = spec.structure.density_g_cm3
    atoms = build_structure(spec.structure, None if densities is None else densities[0])
    atoms.set_cell(atoms.cell.array * np.cbrt(spec.start_volume), scale_atoms=True)
    return atoms


def _inputs(spec: MeltQuenchSpec, atoms: Atoms, lines: LammpsInput) -> list[dict[str, Any]]:
    """Return the inputs of each seed's task."""
    bond = closest_pair(atoms) / float(np.cbrt(spec.start_volume))
    melted_a = spec.melted_a if spec.melted_a is not None else min(bond, 3.0)
    common = {
        "data": data_text(atoms, lines),
        "files": {file.name: sha256_of_file(file) for file in lines.files},
        "melted_a": melted_a,
    }
    return [
        {
            **common,
            "segments": [
                {"stage": part.stage, "deck": segment_deck(spec, lines, seed, part, is_first=index == 0)}
                for index, part in enumerate(spec.segments)
            ],
        }
        for seed in spec.seeds
    ]


def _figures(seed: int, outcome: Outcome) -> dict[str, Any]:
    """Return what a task left, its files with their folder."""
    found = {"seed": seed, **outcome.result()}
    if found["glass"] is not None:
        files = {key: os.fspath(outcome.folder.path / found["glass"][key]) for key in ("structure", "trajectory")}
        found["glass"] = {**found["glass"], **files}
    return found


def _together(spec: MeltQuenchSpec, glasses: Sequence[dict[str, Any]], n_atoms: int) -> tuple[Interval | None, Verdict]:
    """Return the mean density and what is to be said of the glasses."""
    made = [each for each in glasses if each["glass"] is not None]
    verdict = Verdict()
    for each in glasses:
        if (ended := each["ended"]) is not None:
            reason = f"seed {each['seed']} ended in the {ended['stage']}: {ended['kind']}: {ended['reason']}"
            verdict = verdict.weaken(reason) if made else verdict.refuse(reason)
    if not made:
        return None, verdict
    if spec.quench_rate_k_ps > _FASTEST_K_PS:
        verdict = verdict.weaken(
            f"quenched at {spec.quench_rate_k_ps:g} K/ps, expected {_FASTEST_K_PS:g} or less: the structure of the "
            "melt is frozen in"
        )
    if n_atoms < _FEW_ATOMS:
        verdict = verdict.weaken(f"found {n_atoms} atoms, expected {_FEW_ATOMS} or more: a glass has no unit cell")
    values = np.array([each["glass"]["density_g_cm3"] for each in made])
    if len(values) == 1:
        error = made[0]["glass"]["density_error_g_cm3"]
        verdict = verdict.weaken("one glass: its density's interval does not know how glasses differ")
        return _interval(float(values[0]), error, 7, "blocks of one glass, Student's t"), verdict
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    method = f"mean over {len(values)} glasses, Student's t"
    return _interval(float(values.mean()), error, len(values) - 1, method), verdict


def _interval(value: float, error: float, dof: int, method: str) -> Interval:
    from scipy.special import stdtrit

    half = float(stdtrit(dof, 0.5 * (1 + _CONFIDENCE))) * error
    return Interval(value, value - half, value + half, _CONFIDENCE, method)
