"""The first frames of a campaign: arrangements of the structure, relaxed, strained, rattled, pushed; no dynamics."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.campaign.learning_specs import CrystalLearningSpec, LearningSpec
from mlip_sse.engine import Work
from mlip_sse.errors import InputError
from mlip_sse.potentials.training_data.drawing import contact_frames
from mlip_sse.potentials.training_data.specs import ContactSpec
from mlip_sse.potentials.training_data.starts import plain_structure, structure_of
from mlip_sse.potentials.training_data.unit_contacts import unit_contact_frames
from mlip_sse.structures import (
    compact_supercell,
    disordered_crystal,
    random_strain,
    rattle,
    read_disordered,
    read_structure,
    resolve_disorder,
    scale_volume,
)

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.references.specs import ReferenceSpec

__all__ = ["HELD_OUT_EVERY", "number_from", "relaxation_inputs", "relaxation_work", "seed_frames", "start", "starts_of"]

HELD_OUT_EVERY = 4
"""Of the strained, rattled and displaced frames, drawn independently of each other, each fourth is held out."""

_VOLUME_CHANGE = 0.08
_RATTLES_A = (0.05, 0.10, 0.15)
_DISPLACEMENTS_A = (0.3, 0.45, 0.6)
_KEPT_EVERY = 5  # relaxation steps
_FORCE_EV_A = 0.05
_RELAXED_WITHIN_S = 3600.0
_CLOSEST = 0.7  # of the shortest distance of two elements in the start


def number_from(*parts: Any) -> int:
    """Return a seed in [1, 2³¹) that follows from plain data, on every machine alike."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 2) + 1


def starts_of(spec: CrystalLearningSpec) -> "list[Atoms]":
    """Return the arrangements of the structure, lowest Ewald energies first, in cells as wide as asked for.

    Raises
    ------
    InputError
        When the structure cannot be built, atoms overlap, or the mobile ion is not in it.
    """
    material = spec.structure
    if material.file is not None and Path(material.file).suffix.lower() != ".cif":
        starts = [read_structure(material.file)]  # other formats know whole atoms only
    else:
        source = disordered_crystal(material.crystal) if material.crystal else read_disordered(str(material.file))
        starts = [found.atoms for found in resolve_disorder(source, material.ordering(spec.seed))]
    if material.min_width_a is not None:
        starts = [compact_supercell(atoms, min_width=material.min_width_a) for atoms in starts]
    if spec.mobile not in starts[0].get_chemical_symbols():
        elements = ", ".join(sorted(set(starts[0].get_chemical_symbols())))
        raise InputError(f"mobile: found {spec.mobile}, expected one of the structure's elements {elements}")
    return starts


def relaxation_work(reference: "ReferenceSpec", steps: int) -> Work:
    """Return how a structure is relaxed by a reference that is a force field; a task of the label lane."""
    limit_s = min(_RELAXED_WITHIN_S, (steps + 1) * reference.time_limit_s)
    return Work(f"{__name__}:start", reference.model_dump(mode="json"), limit_s, "campaign_relaxation")


def relaxation_inputs(identity: Mapping[str, Any], atoms: "Atoms", steps: int) -> dict[str, Any]:
    """Return what decides a relaxation."""
    return {"reference": dict(identity), "start": plain_structure(atoms), "steps": steps, "force_ev_a": _FORCE_EV_A}


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that relaxes one structure at fixed cell; of its path every fifth step is kept."""
    from mlip_sse.references import load_reference

    reference = load_reference(settings)
    calculator = reference.calculator()

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        from ase.optimize import FIRE

        atoms = structure_of(inputs["start"])
        atoms.calc = calculator
        optimizer = FIRE(atoms, logfile=None)
        path = [plain_structure(atoms)]
        for step, _ in enumerate(optimizer.irun(fmax=inputs["force_ev_a"], steps=inputs["steps"])):
            if step and step % _KEPT_EVERY == 0:
                path.append(plain_structure(atoms))
        if optimizer.nsteps % _KEPT_EVERY:
            path.append(plain_structure(atoms))
        return {"path": path, "n_calls": optimizer.nsteps + 1}

    return run


def seed_frames(spec: LearningSpec, atoms: "Atoms", name: str) -> "list[Atoms]":
    """Return the seeds around one arrangement; ``info`` says group and place.

    Parameters
    ----------
    spec
        The campaign.
    atoms
        The arrangement, relaxed where that could be done.
    name
        What its groups begin with.
    """
    wanted = spec.seeds
    changes = np.linspace(-_VOLUME_CHANGE, _VOLUME_CHANGE, wanted.strained)
    groups: dict[str, list[Atoms]] = {
        "strained": [
            rattle(scale_volume(atoms, float(change)), 0.03, number_from(spec.seed, name, "strained", k))
            for k, change in enumerate(changes)
        ],
        "rattled": [
            rattle(
                random_strain(atoms, 0.03, number_from(spec.seed, name, "strain", k)),
                _RATTLES_A[k % len(_RATTLES_A)],
                number_from(spec.seed, name, "rattled", k),
            )
            for k in range(wanted.rattled)
        ],
        "displaced": [
            _displaced(atoms, spec.mobile, _DISPLACEMENTS_A[k % 3], number_from(spec.seed, name, "displaced", k))
            for k in range(wanted.displaced)
        ],
    }
    for group, frames in groups.items():
        for place, frame in enumerate(frames):
            frame.info = {"group": f"{name} {group}", "place": place}
    contacts = ContactSpec(n_frames=wanted.contacts) if wanted.contacts else None
    pushed = [] if contacts is None else contact_frames(atoms, contacts, f"{name} contacts", spec.seed)
    met = unit_contact_frames(atoms, wanted.units, f"{name} units", spec.seed) if wanted.units else []
    return [*(frame for frames in groups.values() for frame in frames), *pushed, *met]


def _displaced(atoms: "Atoms", mobile: str, length_a: float, seed: int) -> "Atoms":
    """Return a copy with the mobile ions displaced at random by about a length, and everything else by a tenth of it.

    An ion that would come too close to another atom is moved less, by halves.
    """
    from ase.geometry import get_distances

    rng = np.random.default_rng(seed)
    moved = rattle(atoms, 0.1 * length_a, seed)
    symbols = np.array(moved.get_chemical_symbols())
    limits = _closest_pairs(atoms, symbols)
    for ion in np.flatnonzero(symbols == mobile):
        direction = rng.normal(size=3)
        step = length_a * rng.uniform(0.5, 1.5) * direction / np.linalg.norm(direction)
        others = np.arange(len(moved)) != ion
        for _ in range(4):
            target = moved.positions[ion] + step
            _, distances = get_distances(target[None], moved.positions[others], cell=moved.cell, pbc=moved.pbc)
            if (distances[0] > _CLOSEST * limits[ion][others]).all():
                moved.positions[ion] = target
                break
            step = 0.5 * step
    return moved


def _closest_pairs(atoms: "Atoms", symbols: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return (n_atoms, n_atoms) Å: for each pair the shortest distance in the start of two atoms of its elements."""
    distances: NDArray[np.float64] = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distances, np.inf)
    shortest = np.empty_like(distances)
    for one in set(symbols.tolist()):
        for other in set(symbols.tolist()):
            block = np.ix_(symbols == one, symbols == other)
            found = float(distances[block].min())
            shortest[block] = found if np.isfinite(found) else 2.0
    return shortest
