"""The card of a fresh fit: data and penalty are known, errors and gates are not."""

from hashlib import sha256
from typing import Any

from mlip_sse.potentials.contract import Card
from mlip_sse.potentials.pod.normal_equations import NormalEquations
from mlip_sse.potentials.pod.ridge import Choice
from mlip_sse.potentials.pod.specs import PodSpec

__all__ = ["fresh_card"]


def fresh_card(
    recipe: PodSpec, name: str, equations: NormalEquations, validation: NormalEquations, choice: Choice
) -> Card:
    """Return the card of a potential that was just solved for.

    Parameters
    ----------
    recipe
        The recipe, its elements filled in.
    name
        Of the potential.
    equations, validation
        Sums over the frames, which know their ids, closest distances and fingerprints.
    choice
        The penalty and why it was taken.
    """
    domain = recipe.domain
    return Card(
        name=name,
        family="pod",
        description=recipe.description,
        elements=tuple(recipe.elements or ()),
        temperature_k=domain.temperature_k,
        pressure_gpa=domain.pressure_gpa,
        references=domain.references,
        licence=domain.licence,
        fingerprint=_one_fingerprint(equations),
        data=_data_statement(equations, validation, choice),
    )


def _one_fingerprint(equations: NormalEquations) -> dict[str, Any]:
    """Return how the labels were made; several ways, mixed on purpose, stand side by side by their digest."""
    from mlip_sse.dataset import Fingerprint

    prints = [Fingerprint.parse(plain) for _, plain in sorted(equations.fingerprints.items())]
    merged = prints[0]
    for other in prints[1:]:
        if merged.difference(other):
            return {"mixed": dict(sorted(equations.fingerprints.items()))}
        merged = merged.merged(other)
    return merged.model_dump(mode="json", exclude_none=True)


def _data_statement(equations: NormalEquations, validation: NormalEquations, choice: Choice) -> dict[str, Any]:
    return {
        "train_frames": len(equations.frames),
        "validation_frames": len(validation.frames),
        "train_rows": dict(equations.n_rows),
        "train_sha256": sha256("\n".join(equations.frames).encode()).hexdigest(),
        "closest_angstrom": dict(equations.closest),
        "penalty": choice.penalty,
        "penalty_choice": choice.describe(),
    }
