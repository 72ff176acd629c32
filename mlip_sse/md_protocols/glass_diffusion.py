"""Diffusion in several glasses: each in its own mean cell at each temperature, pooled with what glasses differ by."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlip_sse.analysis.results import Estimate, Interval, Verdict, to_plain
from mlip_sse.analysis.transport.temperature.arrhenius import fit_arrhenius
from mlip_sse.analysis.transport.temperature.pooling import pool_over_temperatures
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.engine import Engine, Outcome
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import MlipSseError
from mlip_sse.md_protocols.bulk_inputs import BulkInputs, bulk_work, mean_cell
from mlip_sse.md_protocols.bulk_specs import BulkDynamicsSpec
from mlip_sse.md_protocols.deck import TRAJECTORY_FILE
from mlip_sse.potentials import Potential
from mlip_sse.trajectory.model import Trajectory

__all__ = ["GlassDiffusion", "diffuse"]

_FEWEST_FOR_A_LINE = 3


@dataclass(frozen=True)
class GlassDiffusion:
    """D(T) over glasses.

    Parameters
    ----------
    temperatures
        One for each: ``diffusivity_cm2_s`` pooled over the glasses (None where no run gave one), ``between_log_sd``,
        ``between_within_ratio``, and ``runs`` with that of each glass.
    activation_energy_ev
        From three temperatures on.
    n_reused
        Tasks done by an earlier call.
    verdict
        Quality and reasons.
    """

    temperatures: tuple[dict[str, Any], ...]
    activation_energy_ev: Interval | None
    n_reused: int
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain = {
            "temperatures": to_plain(self.temperatures),
            "activation_energy_ev": to_plain(self.activation_energy_ev),
        }
        return {**plain, "quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}


def diffuse(
    spec: BulkDynamicsSpec,
    structures: Mapping[int, str],
    potential: Potential,
    mobile: str,
    engine: Engine,
    progress: Callable[[str, TaskProgress], None] | None = None,
) -> GlassDiffusion:
    """Run each glass at each temperature, and pool; what was done is not done again.

    Parameters
    ----------
    spec
        Temperatures and durations.
    structures
        The file of each glass, by its seed.
    potential
        Its forces.
    mobile
        The ion.
    engine
        Its md lane does the work.
    progress
        Called as tasks end with the stage, ``cells`` or ``diffusion``.

    Raises
    ------
    RunError
        When LAMMPS fails for another reason than its atoms, or a mean cell could not be found.
    """
    tasks = {seed: BulkInputs.of(spec, _read(file), potential) for seed, file in structures.items()}
    work = bulk_work(tasks.values(), spec.time_limit_hours * 3600)

    def done(stage: str, inputs: list[list[dict[str, Any]]]) -> tuple[list[list[Outcome]], int]:
        told = None if progress is None else (lambda state: progress(stage, state))
        outcomes = engine.run("md", work, [each for group in inputs for each in group], min_success=1.0, progress=told)
        rest = iter(outcomes)
        return [[next(rest) for _ in group] for group in inputs], outcomes.n_reused

    cells, n_cells = done("cells", [each.cells() for each in tasks.values()])
    found = [
        [mean_cell(outcome.result(), t) for outcome, t in zip(group, spec.temperatures_k, strict=True)]
        for group in cells
    ]
    runs, n_runs = done("diffusion", [each.productions(cell) for each, cell in zip(tasks.values(), found, strict=True)])
    rows = [
        {"seed": seed, **label, "volume_a3": cell[spec.temperatures_k.index(label["temperature_k"])]["volume_a3"]}
        | _analysed(outcome, label["temperature_k"], mobile)
        for seed, each, cell, group in zip(tasks, tasks.values(), found, runs, strict=True)
        for label, outcome in zip(_labels(each), group, strict=True)
    ]
    return _pooled(spec.temperatures_k, rows, n_cells + n_runs)


def _labels(tasks: BulkInputs) -> list[dict[str, Any]]:
    return [{"temperature_k": label["temperature_k"], "velocities": label["seed"]} for label in tasks.labels]


def _read(file: str) -> Any:
    from ase.io import read

    return read(file)


def _analysed(outcome: Outcome, temperature_k: float, mobile: str) -> dict[str, Any]:
    """Return the diffusivity of one run, or why there is none."""
    found, path = outcome.result(), os.fspath(outcome.folder.path / TRAJECTORY_FILE)
    row: dict[str, Any] = {"trajectory": path, "ended": found["ended"], "estimate": None, "reasons": []}
    if found["ended"] is not None:
        return {**row, "reasons": [f"{found['ended']['kind']}: {found['ended']['reason']}"]}
    try:
        transport = Transport(mobile=mobile).run(Trajectory.read(path, temperature_k=temperature_k))
    except MlipSseError as error:
        return {**row, "reasons": [str(error)]}
    diffusion = transport.species[0].diffusion
    return {**row, "estimate": diffusion.diffusivity_cm2_s, "reasons": list(diffusion.verdict.reasons)}


def _pooled(temperatures_k: Sequence[float], rows: Sequence[dict[str, Any]], n_reused: int) -> GlassDiffusion:
    groups = {t: [row for row in rows if row["temperature_k"] == t] for t in temperatures_k}
    estimates: dict[float, list[Estimate]] = {
        t: [row["estimate"] for row in group if row["estimate"] is not None] for t, group in groups.items()
    }
    verdict = Verdict()
    for t, group in groups.items():
        if missing := [row for row in group if row["estimate"] is None]:
            seeds = ", ".join(str(row["seed"]) for row in missing)
            why = "; ".join(missing[0]["reasons"]) or "the ions hardly moved: run longer"
            verdict = verdict.weaken(f"{t:g} K: no diffusivity of the glass of seed {seeds} ({why})")
    resolved = [t for t in temperatures_k if estimates[t]]
    pooled = (
        dict(zip(resolved, pool_over_temperatures([estimates[t] for t in resolved]), strict=True)) if resolved else {}
    )
    for t, one in pooled.items():
        for reason in one.verdict.reasons:
            verdict = verdict.weaken(f"{t:g} K: {reason}")
    table = []
    for t, group in groups.items():
        there = pooled.get(t)
        table.append(
            {
                "temperature_k": t,
                "diffusivity_cm2_s": None if there is None else there.estimate.interval(),
                "between_log_sd": None if there is None else there.between_log_sd,
                "between_within_ratio": None if there is None else there.between_within_ratio,
                "runs": [_row(row) for row in group],
            }
        )
    return GlassDiffusion(tuple(table), _activation(resolved, estimates), n_reused, verdict)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    estimate = row["estimate"]
    plain = {key: value for key, value in row.items() if key != "estimate"}
    return {**plain, "diffusivity_cm2_s": None if estimate is None else estimate.interval()}


def _activation(resolved: Sequence[float], estimates: Mapping[float, list[Estimate]]) -> Interval | None:
    if len(resolved) < _FEWEST_FOR_A_LINE:
        return None
    return fit_arrhenius(resolved, [estimates[t] for t in resolved]).activation_energy_ev
