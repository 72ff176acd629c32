"""A reference's energies along the bands of a potential: what is wrong with the potential, and what with its path.

The reference's single points on the potential's images give its barrier on that path; its own band, where it is a
calculator, the barrier on its own. Their difference is due to the path, the rest to the potential's energies.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.md_protocols.barrier_tasks import BarrierTasks
from mlip_sse.md_protocols.force_source import ForceSource
from mlip_sse.md_protocols.neb_images import pair_inputs
from mlip_sse.md_protocols.neb_specs import BesideBandSpec, PairSettings
from mlip_sse.references import Reference, load_reference

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.dataset import LabelledFrame

__all__ = ["beside_the_reference", "images_in"]


def images_in(hop: Mapping[str, Any]) -> "list[Atoms]":
    """Return the images of a hop's band, ends included; none where it has no band."""
    from ase.io import read

    images: list[Atoms] = [] if hop["band"] is None else read(hop["band"]["file"], index=":")
    return images


def beside_the_reference(
    spec: BesideBandSpec, settings: PairSettings, hops: Sequence[dict[str, Any]], tasks: BarrierTasks
) -> tuple[dict[str, Any], ...]:
    """Return hops with ``on_reference`` beside the potential's figures; as they are where no reference is asked for.

    Parameters
    ----------
    spec
        Which reference, and whether it converges a band of its own.
    settings
        Of that band.
    hops
        As in `barrier_tasks.NebResult`.
    tasks
        Whose engine does the labels and the bands.
    """
    if spec.reference is None:
        return tuple(hops)
    reference = load_reference(spec.reference)
    own = _own_bands(settings, hops, tasks, reference) if spec.reference_band else [None] * len(hops)
    return tuple({**hop, "on_reference": _on(reference, hop, tasks, band)} for hop, band in zip(hops, own, strict=True))


def _on(
    reference: Reference, hop: dict[str, Any], tasks: BarrierTasks, own: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Return the reference's barriers on the images of one hop, and the errors apart."""
    images = images_in(hop)
    if not images or hop.get("barrier_forward_ev") is None:
        return None
    labels = _labels(reference, images, tasks)
    if None in labels:
        return {"reference": reference.kind, "reasons": ["the reference failed on an image"], "energies_ev": None}
    energies = np.array([label.energy for label in labels if label is not None])
    forces = np.array([label.forces for label in labels if label is not None])
    top, mine = int(hop["highest_image"]), np.array(hop["energies_ev"])
    barriers = {"forward": float(energies[top] - energies[0]), "backward": float(energies[top] - energies[-1])}
    found: dict[str, Any] = {
        "reference": reference.kind,
        "energies_ev": (energies - energies[0]).tolist(),
        "max_forces_ev_a": np.linalg.norm(forces, axis=2).max(axis=1).tolist(),
        "largest_energy_error_ev": float(np.abs(mine - (energies - energies[0])).max()),
        "reasons": [],
    }
    for name, barrier in barriers.items():
        potential = hop[f"barrier_{name}_ev"]["value"]
        band = None if own is None or own.get(f"barrier_{name}_ev") is None else own[f"barrier_{name}_ev"]["value"]
        found |= {
            f"barrier_{name}_ev": barrier,
            f"potential_error_{name}_ev": potential - barrier,
            f"own_barrier_{name}_ev": band,
            f"path_error_{name}_ev": None if band is None else barrier - band,
        }
    if own is not None:
        found["own_quality"], found["own_reasons"] = own["quality"], own["reasons"]
    return found


def _labels(reference: Reference, images: "Sequence[Atoms]", tasks: BarrierTasks) -> "list[LabelledFrame | None]":
    plain = []
    for place, image in enumerate(images):
        bare = image.copy()
        bare.calc, bare.info = None, {"group": "band", "place": place}
        bare.set_constraint()
        plain.append(bare)
    labels = reference.label(plain, tasks.engine.tasks, lane=tasks.engine.lane("label"))
    by_place = {frame.place: frame for frame in labels}
    return [by_place.get(place) for place in range(len(plain))]


def _own_bands(
    settings: PairSettings, hops: Sequence[dict[str, Any]], tasks: BarrierTasks, reference: Reference
) -> list[dict[str, Any] | None]:
    """Return the reference's own bands between the ends of the potential's, in the potential's cell."""
    source = ForceSource({"reference": reference.spec.model_dump(mode="json")})
    source.require_elements([])
    own = PairSettings.model_validate({**_of(settings), "vibrations": None})
    wanted = {
        number: pair_inputs(images[0], images[-1], bool(hop["is_reversible"]))
        for number, hop in enumerate(hops)
        if (images := images_in(hop))
    }

    def tell(stage: str, state: TaskProgress) -> None:
        if tasks.progress is not None:
            tasks.progress("reference", state)

    done = BarrierTasks(source, tasks.engine, tasks.time_limit_s, tell)
    outcomes = done.hops("images", [(each, own) for each in wanted.values()])
    found: list[dict[str, Any] | None] = [None] * len(hops)
    for number, outcome in zip(wanted, outcomes, strict=True):
        found[number] = None if outcome.failure is not None else outcome.result()
    return found


def _of(settings: PairSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in PairSettings.model_fields}
