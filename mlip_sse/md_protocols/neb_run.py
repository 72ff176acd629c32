"""Run barriers on the engine's md lane: crystals first, then each symmetry-distinct hop."""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ase import Atoms

from mlip_sse.engine import Engine
from mlip_sse.errors import InputError
from mlip_sse.md_protocols.barrier_tasks import (
    Barriers,
    BarrierTasks,
    CrystalError,
    EngineLike,
    NebResult,
    Told,
    figures_of,
    relaxed_crystal_of,
)
from mlip_sse.md_protocols.force_source import ForceSource, force_source
from mlip_sse.md_protocols.neb_images import hop_of, pair_inputs, read_minima
from mlip_sse.md_protocols.neb_interstitial import find_interstitial_hops
from mlip_sse.md_protocols.neb_reference import beside_the_reference
from mlip_sse.md_protocols.neb_specs import BandSpec, NebImagesSpec, NebInterstitialSpec, NebSettings, NebVacancySpec
from mlip_sse.md_protocols.neb_vacancy import find_hops
from mlip_sse.md_protocols.plain_atoms import atoms_from_plain
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import Potential
from mlip_sse.provenance import Provenance

__all__ = [
    "Barriers",
    "CrystalError",
    "NebResult",
    "run_barriers",
    "run_neb_images",
    "run_neb_interstitial",
    "run_neb_vacancy",
]


def run_neb_vacancy(
    spec: NebVacancySpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: EngineLike = None,
    progress: Told = None,
) -> NebResult:
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
        Called as tasks end with the stage, ``crystal``, ``hops`` or ``reference``.

    Raises
    ------
    InputError
        When there is no hop, or more than ``max_hops``, or the potential does not know an element.
    RunError
        When the crystal cannot be relaxed.
    """
    return _run_crystal(
        "hop", spec, lambda crystal: find_hops(crystal, spec.settings), folder, potential, engine, progress
    )


def run_barriers(
    atoms: Atoms,
    settings: NebSettings,
    potential: ForceSource | str | Path,
    engine: Engine,
    *,
    time_limit_s: float = 86400.0,
    progress: Told = None,
) -> Barriers:
    """Relax a crystal and compute the barriers of its vacancy hops, on an open engine.

    Parameters
    ----------
    atoms
        The crystal.
    settings
        What hops, how far, how well converged.
    potential
        Where the forces come from: the folder of a potential, for one.
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
    source = force_source(potential, engine.folder)
    tasks = BarrierTasks(source, engine, time_limit_s, progress)
    return _barriers("hop", atoms, settings, lambda crystal: find_hops(crystal, settings), tasks)


def _barriers(
    kind: str, atoms: Atoms, settings: BandSpec, find: Callable[[Atoms], Sequence[Any]], tasks: BarrierTasks
) -> Barriers:
    """Relax a crystal, find its hops, and compute them."""
    first = tasks.crystals(kind, [(atoms, settings)])
    crystal = relaxed_crystal_of(first[0])
    try:
        hops = find(atoms_from_plain(crystal))
    except InputError as error:
        raise CrystalError(f"the relaxed crystal: {error}") from error
    plain = {name: crystal[name] for name in ("symbols", "cell", "positions")}
    outcomes = tasks.hops(kind, [({"crystal": plain, "hop": asdict(hop)}, settings) for hop in hops])
    figures = tuple(figures_of(hop, outcome) for hop, outcome in zip(hops, outcomes, strict=True))
    return Barriers(crystal, figures, first.n_reused + outcomes.n_reused)


def run_neb_interstitial(
    spec: NebInterstitialSpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: EngineLike = None,
    progress: Told = None,
) -> NebResult:
    """Compute the barriers of an interstitial's symmetry-distinct hops; what is finished is never done again.

    Parameters
    ----------
    spec
        The protocol.
    folder, potential, engine, progress
        As in `run_neb_vacancy`.

    Raises
    ------
    InputError
        When there is no void or no hop, or more than ``max_hops``, or the potential does not know an element.
    RunError
        When the crystal cannot be relaxed.
    """
    settings = spec.settings

    def find(crystal: Atoms) -> Sequence[Any]:
        return find_interstitial_hops(crystal, settings)

    return _run_crystal("interstitial", spec, find, folder, potential, engine, progress)


def _run_crystal(
    kind: str,
    spec: NebVacancySpec | NebInterstitialSpec,
    find: Callable[[Atoms], Sequence[Any]],
    folder: str | Path,
    potential: Potential | str | Path | None,
    engine: EngineLike,
    progress: Told,
) -> NebResult:
    source = force_source(spec.potential if potential is None else potential, folder)
    densities = spec.structure.density_g_cm3
    atoms = build_structure(spec.structure, None if densities is None else densities[0])
    source.require_elements(atoms.get_chemical_symbols())
    find(atoms)  # refuses a question without an answer, before anything is computed
    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:
        tasks = BarrierTasks(source, lanes, spec.time_limit_hours * 3600, progress)
        found = _barriers(kind, atoms, spec.settings, find, tasks)
        hops = beside_the_reference(spec, spec.settings, found.hops, tasks)
    provenance = Provenance(settings=spec.model_dump(mode="json"))
    return NebResult(os.fspath(folder), source.name, found.crystal, hops, found.n_reused, provenance)


def run_neb_images(
    spec: NebImagesSpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: EngineLike = None,
    progress: Told = None,
) -> NebResult:
    """Compute the barriers between given minima, each and the next; what is finished is never done again.

    Parameters
    ----------
    spec
        The protocol.
    folder, potential, engine, progress
        As in `run_neb_vacancy`.

    Raises
    ------
    InputError
        When structures do not go together, or the potential does not know an element.
    """
    source = force_source(spec.potential if potential is None else potential, folder)
    minima = read_minima(spec.files)
    source.require_elements(minima[0].get_chemical_symbols())
    pairs = [pair_inputs(minima[at], minima[at + 1], None, at, at + 1, spec.match) for at in range(len(minima) - 1)]
    hops = [hop_of(pair) for pair in pairs]
    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:
        tasks = BarrierTasks(source, lanes, spec.time_limit_hours * 3600, progress)
        outcomes = tasks.hops("images", [(pair, spec.settings) for pair in pairs])
        found = [figures_of(hop, outcome) for hop, outcome in zip(hops, outcomes, strict=True)]
        figures = beside_the_reference(spec, spec.settings, found, tasks)
    provenance = Provenance(settings=spec.model_dump(mode="json"))
    return NebResult(os.fspath(folder), source.name, None, figures, outcomes.n_reused, provenance)
