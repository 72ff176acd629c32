"""Labels that judge and do not train: the reference's word on structures that a potential led to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.campaign.learner import Learner
    from mlip_sse.dataset import LabelledFrame

__all__ = ["labels_of", "without_results"]


def labels_of(learner: "Learner", images: "Sequence[Atoms]") -> "list[LabelledFrame | None]":
    """Return the reference's label of each image, None where it failed; equal images are labelled once."""
    plain: dict[tuple[Any, ...], Atoms] = {}
    numbers: list[int] = []
    for image in images:
        atoms = without_results(image)
        content = (tuple(atoms.numbers), atoms.cell.array.round(8).tobytes(), atoms.positions.round(8).tobytes())
        atoms.info = {"group": "check", "place": len(plain)}
        plain.setdefault(content, atoms)
        numbers.append(plain[content].info["place"])
    labels = learner.reference.label(list(plain.values()), learner.engine.tasks, lane=learner.engine.lane("label"))
    by_place = {frame.place: frame for frame in labels}
    return [by_place.get(place) for place in numbers]


def without_results(image: "Atoms") -> "Atoms":
    """Return a copy without calculator and notes."""
    bare = image.copy()
    bare.calc = None
    bare.info = {}
    return bare
