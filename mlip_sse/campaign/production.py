"""The dynamics that an answer is read from: mean cells first, then all seeds and committee members in one batch.

Committee members move in the mean cells of the potential itself, so that what they differ by is their forces. A run
that its atoms end early becomes a refused row with the reason; it never disappears.
"""

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.analysis.analyze import measure_transport
from mlip_sse.analysis.measurement import Measurement
from mlip_sse.analysis.recipes import TransportRecipe
from mlip_sse.analysis.results import to_plain
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.campaign.error_budget import ErrorBudget, budget_of
from mlip_sse.campaign.seeds import number_from
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.engine import Engine, Outcome
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import MlipSseError
from mlip_sse.md_protocols.bulk_inputs import BulkInputs, bulk_work, mean_cell
from mlip_sse.md_protocols.bulk_specs import BulkDynamicsSpec
from mlip_sse.md_protocols.deck import TRAJECTORY_FILE
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.trajectory.model import Trajectory

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Production", "ProductionRun", "dynamics_of", "linked", "probe", "probe_of", "produce"]

Say = Callable[[str, TaskProgress], None]

_LARGEST_SEED = 899_999_999
_SEGMENT_PS = 10.0
_COMPILING = "compiling"
_SPEED = re.compile(r"^Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class ProductionRun:
    """One run.

    Parameters
    ----------
    temperature_k
        Of its thermostat.
    seed
        Its number among the seeds, from 1.
    member
        Of the committee, from 0; None for the potential itself.
    folder
        Of its task.
    ended
        ``kind`` and ``reason`` where its atoms ended it early.
    row
        What the analysis found, its path as seen from the campaign's folder; refused where there is nothing to find.
    """

    temperature_k: float
    seed: int
    member: int | None
    folder: Path
    ended: Mapping[str, Any] | None
    row: Measurement

    @property
    def trajectory(self) -> Path:
        """The dump."""
        return self.folder / TRAJECTORY_FILE

    @property
    def name(self) -> str:
        """What its trajectory is called."""
        who = f"seed{self.seed}" if self.member is None else f"member{self.member}"
        return f"{self.temperature_k:g}K_{who}"

    @property
    def file_name(self) -> str:
        """The name of its trajectory among all of a campaign."""
        return f"{self.name}{self.trajectory.suffix}"


@dataclass(frozen=True, eq=False)
class Production:
    """All runs of one potential.

    Parameters
    ----------
    cells
        The mean cell of each temperature.
    runs
        Of the potential, temperature by temperature.
    member_runs
        Of the members of its committee.
    reasons
        What could not be run, in words.
    """

    cells: tuple[Mapping[str, Any], ...]
    runs: tuple[ProductionRun, ...]
    member_runs: tuple[ProductionRun, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Measurement]:
        """What the analysis found of each run of the potential itself."""
        return [run.row for run in self.runs]

    def budget(self, confidence: float = 0.95) -> ErrorBudget:
        """Return D(T), Ea, D(300 K) and σ(300 K) with every error there is."""
        members = sorted({run.member for run in self.member_runs if run.member is not None})
        rows = [[run.row for run in self.member_runs if run.member == member] for member in members]
        return budget_of(self.rows, rows, confidence=confidence)

    def speed_atom_steps_s(self) -> float | None:
        """Return how fast LAMMPS was, by its own clock, over all runs; None where the logs are gone."""
        return atom_steps_per_second([run.folder for run in (*self.runs, *self.member_runs)])

    def link_into(self, folder: str | Path) -> list[Path]:
        """Give each trajectory its name in a folder, as a hard link where the disk allows it.

        Parameters
        ----------
        folder
            Such as ``CAMPAIGN/trajectories``; made where it is not there.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        found = [run for run in (*self.runs, *self.member_runs) if run.trajectory.is_file()]
        return [linked(run.trajectory, target / run.file_name) for run in found]


def dynamics_of(spec: CampaignSpec, *, duration_ps: float, seeds: Sequence[int]) -> BulkDynamicsSpec:
    """Return the protocol of a campaign's production.

    Parameters
    ----------
    spec
        The campaign.
    duration_ps
        Of each run.
    seeds
        One run for each, at each temperature.

    Raises
    ------
    SpecError
        When time step and dump interval do not fit together; ask before an hour is spent.
    """
    wanted = spec.production
    plain = {
        "temperatures_k": sorted(spec.temperatures_k),
        "seeds": list(seeds),
        "timestep_fs": spec.explore.timestep_fs,
        "cell_ps": wanted.cell_ps,
        "settle_ps": wanted.settle_ps,
        "production_ps": duration_ps,
        "segment_ps": _SEGMENT_PS,
        "dump_every_fs": wanted.dump_every_fs,
    }
    return BulkDynamicsSpec.parse(plain, "production")


def produce(
    spec: CampaignSpec,
    potential: Potential | str | Path,
    atoms: "Atoms",
    engine: Engine,
    *,
    say: Say | None = None,
) -> Production:
    """Run all that the answer is read from; what was done before is not done again.

    Parameters
    ----------
    spec
        The campaign.
    potential
        The final potential; its committee runs too where it has one.
    atoms
        The start.
    engine
        Its md lane does the work. Coefficients of members go into ``members/`` of its folder.
    say
        Called as tasks end with the stage, ``cell`` or ``production``.

    Raises
    ------
    RunError
        When LAMMPS fails for another reason than its atoms.
    """
    wanted, model = spec.production, _loaded(potential)
    central = BulkInputs.of(dynamics_of(spec, duration_ps=wanted.production_ps, seeds=_seeds(spec)), atoms, model)
    members, reasons = _members(spec, atoms, model, engine)
    return _run(spec, central, members, engine, say, reasons)


def probe(
    spec: CampaignSpec,
    potential: Potential | str | Path,
    atoms: "Atoms",
    engine: Engine,
    *,
    say: Say | None = None,
) -> dict[str, Any]:
    """Run a short production of one seed without members, and return what a round's file says of it.

    Parameters
    ----------
    spec, potential, atoms, engine, say
        As in `produce`.
    """
    dynamics = dynamics_of(spec, duration_ps=spec.production.probe_ps, seeds=_seeds(spec)[:1])
    return probe_of(_run(spec, BulkInputs.of(dynamics, atoms, _loaded(potential)), [], engine, say, ()))


def probe_of(found: Production) -> dict[str, Any]:
    """Return the intervals of a probe as plain data; None where a diffusivity was refused."""
    budget = found.budget()
    return {
        "temperatures_k": [each.temperature_k for each in budget.temperatures],
        "diffusivity_cm2_s": [to_plain(each.tracer_diffusivity_cm2_s) for each in budget.temperatures],
        "activation_energy_ev": to_plain(budget.interval("activation_energy_ev")),
        "conductivity_300k_ms_cm": to_plain(budget.interval("conductivity_300k_ms_cm")),
        "reasons": [*found.reasons, *budget.verdict.reasons],
    }


def atom_steps_per_second(folders: Sequence[Path]) -> float | None:
    """Return atoms times steps by second of LAMMPS's own clock, over the logs of some runs."""
    work = seconds = 0.0
    for log in sorted(path for folder in folders for path in folder.glob("segment_*/log.lammps")):
        for match in _SPEED.finditer(log.read_text(encoding="utf-8", errors="replace")):
            work += float(match[2]) * float(match[3])
            seconds += float(match[1])
    return work / seconds if seconds > 0 else None


def _loaded(potential: Potential | str | Path) -> Potential:
    return potential if isinstance(potential, Potential) else load_potential(potential)


def _seeds(spec: CampaignSpec) -> list[int]:
    numbers = range(1, spec.production.seeds + 1)
    return [number_from(spec.seed, "production", k) % _LARGEST_SEED + 1 for k in numbers]


def _members(
    spec: CampaignSpec, atoms: "Atoms", model: Potential, engine: Engine
) -> tuple[list[BulkInputs], tuple[str, ...]]:
    """Return the tasks of the committee's members, and why there are fewer than asked for."""
    from mlip_sse.potentials.pod import PodPotential

    wanted = spec.production.members
    there = len(model.committee) if isinstance(model, PodPotential) else 0
    n_members = min(wanted, there)
    reasons = (
        () if n_members == wanted else (f"{wanted} committee members were asked for, the potential has {there} to run",)
    )
    if not isinstance(model, PodPotential) or n_members == 0:
        return [], reasons
    dynamics = dynamics_of(spec, duration_ps=spec.production.member_ps, seeds=_seeds(spec)[:1])
    # Workers on other nodes read the files: they lie in the engine's folder, not in this process's temporary one.
    folders = [model.member(k).save(engine.folder / "members" / f"{k}") for k in range(n_members)]
    return [BulkInputs.of(dynamics, atoms, load_potential(folder)) for folder in folders], reasons


def _run(
    spec: CampaignSpec,
    central: BulkInputs,
    members: Sequence[BulkInputs],
    engine: Engine,
    say: Say | None,
    reasons: tuple[str, ...],
) -> Production:
    """Run the cells, then everything in them as one batch, longest first."""
    work = bulk_work([central, *members], central.spec.time_limit_hours * 3600)

    def outcomes(stage: str, inputs: list[dict[str, Any]]) -> list[Outcome]:
        told = None if say is None else (lambda state: say(stage, state))
        return list(engine.run("md", work, inputs, min_success=1.0, progress=told))

    found = list(zip(central.spec.temperatures_k, outcomes("cell", central.cells()), strict=True))
    broken = [_without_cell(spec, kelvin, outcome) for kelvin, outcome in found if outcome.result()["ended"]]
    cells = tuple(mean_cell(each.result(), kelvin) for kelvin, each in found if not each.result()["ended"])
    batches = [(None, _at(central, cells)), *((k, _at(member, cells)) for k, member in enumerate(members))]
    inputs = [task for _, each in batches for task in each.productions(cells)]
    compiling = Thread(target=_compile_kernels, args=(spec.mobile,), name=_COMPILING, daemon=True)
    compiling.start()  # while others move atoms
    done = iter(outcomes("production", inputs))
    compiling.join()  # numba ends a process whose two threads compute at once, where its own pool is all it has
    numbers = {seed: number for number, seed in enumerate(central.spec.seeds, start=1)}
    runs = [
        _measured(spec, label["temperature_k"], numbers[label["seed"]], member, next(done))
        for member, each in batches
        for label in each.labels
    ]
    own = sorted([*broken, *(run for run in runs if run.member is None)], key=lambda run: run.temperature_k)
    return Production(cells, tuple(own), tuple(run for run in runs if run.member is not None), reasons)


def _compile_kernels(mobile: str) -> None:
    """Have numba compile what the analysis needs: half a minute on a machine that has not done it before."""
    walk = np.random.default_rng(0).normal(size=(400, 8, 3)).cumsum(axis=0).astype(np.float32)  # as dumps are read
    species = [mobile] * 6 + ["Xe"] * 2
    trajectory = Trajectory.from_arrays(species, walk, 20 * np.eye(3), 100.0, wrapped=False, temperature_k=600.0)
    with suppress(MlipSseError):
        Transport(mobile=mobile, charges={mobile: 1.0, "Xe": -3.0}).run(trajectory)


def _at(each: BulkInputs, cells: Sequence[Mapping[str, Any]]) -> BulkInputs:
    """Return the same tasks at the temperatures alone that have a mean cell."""
    kelvins = tuple(cell["temperature_k"] for cell in cells)
    return replace(each, spec=each.spec.model_copy(update={"temperatures_k": kelvins}))


def _without_cell(spec: CampaignSpec, temperature_k: float, outcome: Outcome) -> ProductionRun:
    """Return the refused run of a temperature whose mean cell could not be found."""
    folder, ended = outcome.folder.path, outcome.result()["ended"]
    reason = f"no mean cell: {ended['kind'].replace('_', ' ')}, {ended['reason']}"
    row = Measurement.of_failure(os.fspath(folder / TRAJECTORY_FILE), temperature_k, spec.mobile, reason)
    return _named(ProductionRun(temperature_k, 1, None, folder, ended, row))


def _measured(
    spec: CampaignSpec, temperature_k: float, seed: int, member: int | None, outcome: Outcome
) -> ProductionRun:
    """Analyse one run; what ended early is refused with its reason."""
    folder, ended = outcome.folder.path, outcome.result()["ended"]
    path = os.fspath(folder / TRAJECTORY_FILE)
    if ended is not None:
        reason = f"{ended['kind'].replace('_', ' ')} in segment {ended['segment'] + 1}: {ended['reason']}"
        row = Measurement.of_failure(path, temperature_k, spec.mobile, reason)
    else:
        try:
            recipe = TransportRecipe(recipe="transport", description="production", mobile=(spec.mobile,))
            row = measure_transport(path, temperature_k, recipe)
        except MlipSseError as error:
            row = Measurement.of_failure(path, temperature_k, spec.mobile, str(error).removeprefix(f"{path}: "))
    return _named(ProductionRun(temperature_k, seed, member, folder, ended, row))


def _named(run: ProductionRun) -> ProductionRun:
    """Call the row after the file in the campaign's folder, wherever that folder lies."""
    return replace(run, row=replace(run.row, path=f"trajectories/{run.file_name}"))


def linked(source: Path, target: Path) -> Path:
    """Put a name of the file in place at once; a copy where links are not possible."""
    if target.is_file() and target.samefile(source):
        return target
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    os.replace(part, target)
    return target
