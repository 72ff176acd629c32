"""Run vacancy barriers on the engine's md lane: the crystal first, then each symmetry-distinct hop."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms

from mlip_sse.catalogue import resolve
from mlip_sse.engine import Engine, EngineSpec, Outcome, Outcomes, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.neb_specs import NebSettings, NebVacancySpec
from mlip_sse.md_protocols.neb_tasks import atoms_from_plain, atoms_to_plain
from mlip_sse.md_protocols.neb_vacancy import find_hops
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.potentials.whole_folder import folder_digest, folder_put_in_place
from mlip_sse.provenance import Provenance
from mlip_sse.structures import VacancyHop

__all__ = ["Barriers", "CrystalError", "NebVacancyResult", "run_barriers", "run_neb_vacancy"]


class CrystalError(RunError):
    """A crystal that the potential cannot relax, or relaxes into one whose hops are no longer those asked for."""


@dataclass(frozen=True)
class Barriers:
    """The relaxed crystal and its hops, as in `NebVacancyResult`."""

    crystal: dict[str, Any]
    hops: tuple[dict[str, Any], ...]
    n_reused: int


@dataclass(frozen=True)
class NebVacancyResult:
    """The barriers of a crystal.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    crystal
        The relaxed crystal: symbols, cell, positions, energy, change of the volume.
    hops
        One for each symmetry-distinct hop, shortest first: barriers, path, energies, ``quality`` and ``reasons``, and
        the file of the ``band``.
    n_reused
        How many tasks had been done by an earlier call.
    """

    folder: str
    potential: str
    crystal: dict[str, Any]
    hops: tuple[dict[str, Any], ...]
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_refused(self) -> bool:
        """Whether no hop has a barrier."""
        return all(hop["quality"] == "refused" for hop in self.hops)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        names = ("folder", "potential", "crystal", "hops", "n_reused", "provenance")
        return {name: to_plain(getattr(self, name)) for name in names}


def run_neb_vacancy(
    spec: NebVacancySpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: Engine | EngineSpec | dict[str, Any] | str | Path | None = None,
    progress: Callable[[str, TaskProgress], None] | None = None,
) -> NebVacancyResult:
    """Compute the barriers of all symmetry-distinct hops; what is finished is never done again.

    Parameters
    ----------
    spec
        The protocol.
    folder
        Task folders go into ``tasks/``; a potential that lies nowhere yet goes into ``potential/``.
    potential
        Another potential than the one the protocol names.
    engine
        Where tasks run; this machine if not given. One that is open keeps its own folder, and stays open.
    progress
        Called as tasks end with the stage, ``crystal`` or ``hops``.

    Raises
    ------
    InputError
        When there is no hop, or more than ``max_hops``, or the potential does not know an element.
    RunError
        When the crystal cannot be relaxed.
    """
    chosen = spec.potential if potential is None else potential
    model = chosen if isinstance(chosen, Potential) else load_potential(chosen)
    densities = spec.structure.density_g_cm3
    atoms = build_structure(spec.structure, None if densities is None else densities[0])
    model.lammps_for(atoms.get_chemical_symbols())  # refuses an element that it does not know
    find_hops(atoms, spec.settings)  # and this a question without an answer, before anything is computed
    place = _folder_of(chosen, Path(folder))
    limit_s = spec.time_limit_hours * 3600
    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:
        found = run_barriers(atoms, spec.settings, place, lanes, time_limit_s=limit_s, progress=progress)
    provenance = Provenance(settings=spec.model_dump(mode="json"))
    return NebVacancyResult(os.fspath(folder), model.card.name, found.crystal, found.hops, found.n_reused, provenance)


def run_barriers(
    atoms: Atoms,
    settings: NebSettings,
    potential: str | Path,
    engine: Engine,
    *,
    time_limit_s: float = 86400.0,
    progress: Callable[[str, TaskProgress], None] | None = None,
) -> Barriers:
    """Relax a crystal and compute the barriers of its hops, on an open engine.

    Parameters
    ----------
    atoms
        The crystal.
    settings
        What hops, how far, how well converged.
    potential
        The folder of the potential.
    engine
        Stays open.
    time_limit_s
        Of one task.
    progress
        As in `run_neb_vacancy`.

    Raises
    ------
    CrystalError
        When the crystal cannot be relaxed, or there is no hop in it afterwards, or more than ``max_hops``.
    RunError
        When the engine cannot work.
    """
    head = {"potential": folder_digest(potential), "settings": settings.model_dump(mode="json")}
    start = "mlip_sse.md_protocols.neb_tasks:start"
    work = Work(start, {"potential": os.fspath(potential)}, time_limit_s, "neb_vacancy")

    def done(stage: str, inputs: list[dict[str, Any]], min_success: float) -> Outcomes:
        told = None if progress is None else (lambda state: progress(stage, state))
        return engine.run("md", work, inputs, min_success=min_success, progress=told)

    first = done("crystal", [{"kind": "crystal", **head, "crystal": atoms_to_plain(atoms)}], 0.0)
    crystal = _relaxed(first[0])
    try:
        hops = find_hops(atoms_from_plain(crystal), settings)
    except InputError as error:
        raise CrystalError(f"the relaxed crystal: {error}") from error
    plain = {name: crystal[name] for name in ("symbols", "cell", "positions")}
    inputs = [{"kind": "hop", **head, "crystal": plain, "hop": asdict(hop)} for hop in hops]
    outcomes = done("hops", inputs, 0.0)
    figures = tuple(_figures(hop, outcome) for hop, outcome in zip(hops, outcomes, strict=True))
    return Barriers(crystal, figures, first.n_reused + outcomes.n_reused)


def _folder_of(chosen: Potential | str | Path, folder: Path) -> Path:
    """Return the folder of a potential; one that was not loaded by a name is saved."""
    if not isinstance(chosen, Potential):
        return resolve("potentials", chosen).absolute().parent
    place = folder.absolute() / "potential"
    with folder_put_in_place(place) as half:
        chosen.save(half)
    return place


def _relaxed(outcome: Outcome) -> dict[str, Any]:
    result = {"reasons": [outcome.failure.reason]} if outcome.failure is not None else outcome.result()
    if result["reasons"]:
        raise CrystalError(f"the crystal cannot be relaxed: {'; '.join(result['reasons'])}")
    return result


def _figures(hop: VacancyHop, outcome: Outcome) -> dict[str, Any]:
    """Return what a task found; one that failed, the reason."""
    if outcome.failure is not None:
        reason = f"the task failed: {outcome.failure.reason}"
        return {**asdict(hop), "distance_a": hop.distance, "quality": "refused", "reasons": [reason], "band": None}
    found = outcome.result()
    if found["band"] is not None:
        found["band"] = {**found["band"], "file": os.fspath(outcome.folder.path / found["band"]["file"])}
    return found
