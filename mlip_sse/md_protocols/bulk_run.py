"""Run bulk diffusion on the engine's md lane: the mean cell of each temperature, then production at each seed."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlip_sse.engine import Engine, EngineSpec, Outcome, Outcomes
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.md_protocols.bulk_inputs import BulkInputs, bulk_work, mean_cell
from mlip_sse.md_protocols.bulk_specs import BulkDiffusionSpec
from mlip_sse.md_protocols.deck import TRAJECTORY_FILE
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.provenance import Provenance

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
    engine: Engine | EngineSpec | dict[str, Any] | str | Path | None = None,
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
        Where tasks run; this machine, one thread each, if not given. An engine that is open already keeps its own
        folder for the tasks, and stays open.
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
    densities = spec.structure.density_g_cm3
    atoms = build_structure(spec.structure, None if densities is None else densities[0])
    tasks = BulkInputs.of(spec, atoms, model)
    with _lanes(folder, engine) as lanes:
        cells, runs = _all_tasks(lanes, tasks, progress)
    found = tuple(mean_cell(each.result(), t) for each, t in zip(cells, spec.temperatures_k, strict=True))
    figures = tuple({**label, **_with_places(outcome)} for label, outcome in zip(tasks.labels, runs, strict=True))
    n_reused = cells.n_reused + runs.n_reused
    provenance = Provenance(settings=spec.model_dump(mode="json"))
    return BulkDiffusionResult(os.fspath(folder), model.card.name, found, figures, n_reused, provenance)


def _with_places(outcome: Outcome) -> dict[str, Any]:
    """Return the result of a production run, its files with their folder."""
    found, folder = outcome.result(), outcome.folder.path
    current = found.get("charge_current")
    found["charge_current"] = None if current is None else os.fspath(folder / current)
    return {**found, "trajectory": os.fspath(folder / TRAJECTORY_FILE)}


def _lanes(
    folder: str | Path, engine: Engine | EngineSpec | dict[str, Any] | str | Path | None
) -> AbstractContextManager[Engine]:
    """Return an engine of this call's own, or the open one, which stays open."""
    return nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine)


def _all_tasks(
    lanes: Engine, tasks: BulkInputs, progress: Callable[[str, TaskProgress], None] | None
) -> tuple[Outcomes, Outcomes]:
    """Return what became of the cells and of the runs in them."""
    work = bulk_work([tasks], tasks.spec.time_limit_hours * 3600)

    def done(stage: str, inputs: list[dict[str, Any]]) -> Outcomes:
        told = None if progress is None else (lambda state: progress(stage, state))
        return lanes.run("md", work, inputs, min_success=1.0, progress=told)

    cells = done("cell", tasks.cells())
    kelvins = tasks.spec.temperatures_k
    found = [mean_cell(outcome.result(), t) for outcome, t in zip(cells, kelvins, strict=True)]
    return cells, done("production", tasks.productions(found))
