"""The tasks of barriers, done by the engine's md lane: a relaxed crystal, or one hop in stages.

A stage leaves its arrays in the task's folder and is never done twice. It starts from what lies there and from a new
calculator, so that a run that was killed gives what an undisturbed one gives, bit by bit.
"""

import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, to_plain
from mlip_sse.errors import InputError
from mlip_sse.md_protocols.force_source import ForceSource
from mlip_sse.md_protocols.hop_barrier import HopBarrier
from mlip_sse.md_protocols.neb_images import compute_pair
from mlip_sse.md_protocols.neb_interstitial import compute_interstitial_hop
from mlip_sse.md_protocols.neb_pair import Stage
from mlip_sse.md_protocols.neb_specs import BandSpec, InterstitialSettings, NebSettings, PairSettings
from mlip_sse.md_protocols.neb_vacancy import compute_hop
from mlip_sse.md_protocols.plain_atoms import atoms_from_plain, atoms_to_plain
from mlip_sse.md_protocols.relaxation import relax_atoms
from mlip_sse.potentials import Potential
from mlip_sse.potentials.pod.array_file import array_bytes, read_arrays
from mlip_sse.structures import VacancyHop
from mlip_sse.structures.interstitials import InterstitialHop

__all__ = ["BAND_FILE", "atoms_from_plain", "atoms_to_plain", "start"]

BAND_FILE = "band.extxyz"
_FORMAT = 1
_CONFIDENCE = 0.95


def start(settings: Mapping[str, Any]) -> Callable[[dict[str, Any], Path], dict[str, Any]]:
    """Return the function that does one task; ``settings`` are those of a `ForceSource`."""
    source = ForceSource(settings)

    def run(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        if inputs["potential"] != source.digest:
            raise InputError(f"{source.name} is not the potential this task was made for: make the tasks anew")
        if inputs["kind"] == "crystal":
            wanted = _SETTINGS[inputs["of"]].model_validate(inputs["settings"])
            return _crystal(source, atoms_from_plain(inputs["crystal"]), wanted)
        found = _HOPS[inputs["kind"]](source, inputs, _kept_in(folder))
        plain: dict[str, Any] = to_plain(found.to_dict())
        committee = None if source.potential is None else to_plain(_committee(source.potential, found))
        return {**plain, "committee": committee, "band": _write_band(found, folder)}

    return run


def _crystal(source: ForceSource, atoms: Atoms, settings: BandSpec) -> dict[str, Any]:
    found = relax_atoms(
        atoms, source.calculator(), cell=settings.cell, fmax=settings.fmax, max_steps=settings.max_steps
    )
    return {
        **atoms_to_plain(found.atoms),
        "energy_ev_atom": found.energy / len(atoms),
        "volume_change": float(found.atoms.get_volume() / atoms.get_volume()) - 1,
        "reasons": list(found.verdict.reasons),
    }


def _vacancy_hop(source: ForceSource, inputs: dict[str, Any], stage: Stage) -> HopBarrier:
    hop = VacancyHop(**{**inputs["hop"], "vector": tuple(inputs["hop"]["vector"])})
    settings = NebSettings.model_validate(inputs["settings"])
    return compute_hop(atoms_from_plain(inputs["crystal"]), hop, source.calculator, settings, _say, stage)


def _say(line: str) -> None:
    print(line, flush=True)  # the engine puts it into the task's log


def _kept_in(folder: Path) -> Stage:
    """Return how a stage is kept: words in the head, arrays as they are."""

    def stage(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = folder / f"{name}.npz"
        if not path.is_file():
            found = work()
            arrays = {key: value for key, value in found.items() if isinstance(value, np.ndarray)}
            head = {key: value for key, value in found.items() if key not in arrays}
            part = path.with_suffix(".part")
            part.write_bytes(array_bytes({"format": _FORMAT, **head}, arrays))
            os.replace(part, path)
        head, arrays = read_arrays(path, _FORMAT, (), "stage of a band")
        return {**head, **arrays}

    return stage


def _committee(model: Potential, found: HopBarrier) -> dict[str, Any] | None:
    """Return the barriers of the committee's members along the converged band; None where there is no committee."""
    if found.band is None or found.barrier_forward is None or found.barrier_backward is None:
        return None
    differences = _member_differences(model, found.images)
    if differences is None:
        return None
    energies = found.band.energies + differences
    barriers = {"forward": energies[:, found.band.top] - energies[:, 0]}
    barriers["backward"] = energies[:, found.band.top] - energies[:, -1]
    return {
        "n_members": len(energies),
        "members_forward_ev": barriers["forward"],
        "barrier_forward_ev": _spread(found.barrier_forward, barriers["forward"]),
        "barrier_backward_ev": _spread(found.barrier_backward, barriers["backward"]),
    }


def _member_differences(model: Potential, images: Sequence[Atoms]) -> NDArray[np.float64] | None:
    """Return by how much each member's energies of the images differ from the potential's, (n_members, n_images) eV.

    Both have the same core below the shortest bonds, which no descriptor knows: only differences can be told.
    """
    from mlip_sse.potentials.pod.descriptors import DescriptorEngine
    from mlip_sse.potentials.pod.potential import PodPotential

    if not isinstance(model, PodPotential) or len(model.committee) < 2:
        return None
    with DescriptorEngine(model.recipe, model.elements) as engine:
        rows = np.array([engine.rows(image, forces=False, virial=False).energy for image in images])
    return np.asarray((model.committee - model.coefficients) @ rows.T)


def _spread(barrier: Interval, members: NDArray[np.float64]) -> Interval:
    """Return the barrier with the spread of its committee, by Student's t."""
    from scipy.special import stdtrit

    value = 0.0 if barrier.value is None else barrier.value
    half = float(stdtrit(len(members) - 1, 0.5 * (1 + _CONFIDENCE)) * members.std(ddof=1))
    method = f"spread of {len(members)} committee members on the converged band, Student's t"
    return Interval(value, value - half, value + half, _CONFIDENCE, method)


def _write_band(found: HopBarrier, folder: Path) -> dict[str, Any] | None:
    """Write the images with energies and forces; return the file's name and sha256."""
    from ase.io import write

    if not (images := found.images):
        return None
    text = io.StringIO()
    write(text, images, format="extxyz")
    part = folder / f"{BAND_FILE}.part"
    part.write_text(text.getvalue(), encoding="utf-8")
    os.replace(part, folder / BAND_FILE)
    return {"file": BAND_FILE, "sha256": hashlib.sha256(text.getvalue().encode()).hexdigest()}


def _pair(source: ForceSource, inputs: dict[str, Any], stage: Stage) -> HopBarrier:
    return compute_pair(inputs, source.calculator, PairSettings.model_validate(inputs["settings"]), _say, stage)


def _interstitial_hop(source: ForceSource, inputs: dict[str, Any], stage: Stage) -> HopBarrier:
    given: dict[str, Any] = inputs["hop"]
    plain: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in given.items()}
    settings = InterstitialSettings.model_validate(inputs["settings"])
    crystal, hop = atoms_from_plain(inputs["crystal"]), InterstitialHop(**plain)
    return compute_interstitial_hop(crystal, hop, source.calculator, settings, _say, stage)


_SETTINGS: Mapping[str, type[BandSpec]] = {"hop": NebSettings, "interstitial": InterstitialSettings}
_HOPS: Mapping[str, Callable[[ForceSource, dict[str, Any], Stage], HopBarrier]] = {
    "hop": _vacancy_hop,
    "interstitial": _interstitial_hop,
    "images": _pair,
}
