"""Run melt-quench glasses on the engine's md lane, one task for each seed, and put them together.

What came out is looked at before it is called a glass; those that pass may then diffuse.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from scipy.special import stdtrit

from mlip_sse.analysis.glasses.ensemble import GlassEnsemble, glass_ensemble
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.engine import Engine, EngineSpec, Outcome, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.md_protocols.glass_diffusion import GlassDiffusion, diffuse
from mlip_sse.md_protocols.melt_specs import MeltQuenchSpec
from mlip_sse.md_protocols.melt_tasks import N_BLOCKS, segment_deck
from mlip_sse.md_protocols.relaxation import closest_pair
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import LammpsInput, Potential, load_potential
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.provenance import Provenance, sha256_of_file
from mlip_sse.trajectory.model import Trajectory

__all__ = ["MeltQuenchResult", "run_melt_quench"]

_CONFIDENCE = 0.95


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
    ensemble
        What was found of the glasses that were made, each and together; None where there is none.
    diffusion
        D(T) over the glasses, where it was asked for and none was refused.
    verdict
        Refused where no seed gave a glass, or one gave something else.
    n_reused
        How many glasses had been made by an earlier call.
    """

    folder: str
    potential: str
    n_atoms: int
    quench_rate_k_ps: float
    glasses: tuple[dict[str, Any], ...]
    ensemble: GlassEnsemble | None
    diffusion: GlassDiffusion | None
    verdict: Verdict
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def density_g_cm3(self) -> Interval | None:
        """Mean over the glasses with its interval; None where there is none."""
        return None if self.ensemble is None else self.ensemble.density_g_cm3.interval

    @property
    def is_refused(self) -> bool:
        """Whether there is no glass."""
        return self.verdict.quality == "refused"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        names = ("folder", "potential", "n_atoms", "quench_rate_k_ps", "glasses", "density_g_cm3")
        plain = {name: to_plain(getattr(self, name)) for name in (*names, "ensemble", "diffusion")}
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
    model.require_temperatures("melt_temperature_k", [spec.melt_temperature_k])
    model.require_temperatures("end_temperature_k", [spec.end_temperature_k])
    starts = _starts(spec)
    lines = model.lammps_for(starts[0].get_chemical_symbols())
    inputs = _inputs(spec, starts, lines)
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
        made = {each["seed"]: each["glass"] for each in glasses if each["glass"] is not None}
        ensemble = _ensemble(spec, made) if made else None
        verdict = _verdict(glasses, ensemble)
        diffusion = None
        if spec.diffusion is not None and ensemble is not None and verdict.quality != "refused":
            files = {seed: glass["structure"] for seed, glass in made.items()}
            diffusion = diffuse(spec.diffusion, files, model, spec.mobile, lanes, progress)
            for reason in diffusion.verdict.reasons:
                verdict = verdict.weaken(reason)
    return MeltQuenchResult(
        folder=os.fspath(folder),
        potential=model.card.name,
        n_atoms=len(starts[0]),
        quench_rate_k_ps=spec.quench_rate_k_ps,
        glasses=glasses,
        ensemble=ensemble,
        diffusion=diffusion,
        verdict=verdict,
        n_reused=outcomes.n_reused,
        provenance=Provenance(settings=spec.model_dump(mode="json")),
    )


def _starts(spec: MeltQuenchSpec) -> list[Atoms]:
    """Return what each seed starts from.

    Units are packed anew for each. A crystal is scaled to the volume it melts from: without room it would melt late,
    under pressure.
    """
    densities = spec.structure.density_g_cm3
    density = None if densities is None else densities[0]
    if spec.structure.glass is not None:
        return [build_structure(spec.structure, density, seed) for seed in spec.seeds]
    atoms = build_structure(spec.structure, density)
    atoms.set_cell(atoms.cell.array * np.cbrt(spec.start_volume), scale_atoms=True)
    return [atoms] * len(spec.seeds)


def _inputs(spec: MeltQuenchSpec, starts: Sequence[Atoms], lines: LammpsInput) -> list[dict[str, Any]]:
    """Return the inputs of each seed's task."""
    return [
        {
            "data": data_text(atoms, lines),
            "files": {file.name: sha256_of_file(file) for file in lines.files},
            "melted_a": _melted_a(spec, atoms),
            "segments": [
                {"stage": part.stage, "deck": segment_deck(spec, lines, seed, part, is_first=index == 0)}
                for index, part in enumerate(spec.segments)
            ],
        }
        for seed, atoms in zip(spec.seeds, starts, strict=True)
    ]


def _melted_a(spec: MeltQuenchSpec, atoms: Atoms) -> float | None:
    """Return how far each element must go for a liquid; packed units have no order that must be lost."""
    if spec.melted_a is not None or spec.structure.glass is not None:
        return spec.melted_a
    return min(closest_pair(atoms) / float(np.cbrt(spec.start_volume)), 3.0)


def _figures(seed: int, outcome: Outcome) -> dict[str, Any]:
    """Return what a task left, its files with their folder."""
    found = {"seed": seed, **outcome.result()}
    if found["glass"] is not None:
        files = {key: os.fspath(outcome.folder.path / found["glass"][key]) for key in ("structure", "trajectory")}
        found["glass"] = {**found["glass"], **files}
    return found


def _ensemble(spec: MeltQuenchSpec, made: Mapping[int, Mapping[str, Any]]) -> GlassEnsemble:
    """Look at all glasses, at the end temperature."""
    packed = spec.structure.glass
    return glass_ensemble(
        [Trajectory.read(glass["trajectory"], temperature_k=spec.end_temperature_k) for glass in made.values()],
        mobile=spec.mobile,
        expected=None if packed is None else packed.glass_units().shares(),
        quench_rate_k_ps=spec.quench_rate_k_ps,
        names=[f"seed {seed}" for seed in made],
        densities_g_cm3=[_interval(glass["density_g_cm3"], glass["density_error_g_cm3"]) for glass in made.values()],
    )


def _interval(value: float, error: float) -> Interval:
    """Return the interval of one glass, from the means of its blocks."""
    half = float(stdtrit(N_BLOCKS - 1, 0.5 * (1 + _CONFIDENCE))) * error
    return Interval(value, value - half, value + half, _CONFIDENCE, f"{N_BLOCKS} blocks of one glass, Student's t")


def _verdict(glasses: Sequence[dict[str, Any]], ensemble: GlassEnsemble | None) -> Verdict:
    """Return what is to be said of the glasses, and of the seeds that gave none."""
    verdict = Verdict()
    for each in glasses:
        if (ended := each["ended"]) is not None:
            reason = f"seed {each['seed']} ended in the {ended['stage']}: {ended['kind']}: {ended['reason']}"
            verdict = verdict.refuse(reason) if ensemble is None else verdict.weaken(reason)
    if ensemble is None:
        return verdict
    is_refused = "refused" in (verdict.quality, ensemble.verdict.quality)
    for reason in ensemble.verdict.reasons:
        verdict = verdict.refuse(reason) if is_refused else verdict.weaken(reason)
    return verdict
