"""One member of a committee as a potential of its own, for dynamics whose spread says what the fit leaves open."""

from dataclasses import replace

import numpy as np

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.potential import PodPotential

__all__ = ["member_of"]


def member_of(potential: PodPotential, number: int) -> PodPotential:
    """Return what `PodPotential.member` promises."""
    n_members = len(potential.committee)
    if not 0 <= number < n_members:
        raise InputError(
            f"potential {potential.card.name!r}: found member {number}, expected one of its {n_members}, numbered "
            "from 0: fit it with a larger committee"
        )
    card = replace(
        potential.card,
        name=f"{potential.card.name}-member-{number}",
        description=f"member {number} of the committee of {potential.card.name}",
        errors={},
        gates={},
        uncertainty={},
    )
    recipe = potential.recipe.model_copy(update={"committee": 0, "keep_equations": False})
    nobody = np.empty((0, len(potential.coefficients)))
    return PodPotential(recipe, card, potential.committee[number], nobody, potential.active_sets, None, None)
