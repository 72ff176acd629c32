"""How nequip builds the network of a NequIP recipe."""

from typing import Any

from mlip_sse.potentials.equivariant.network import Architecture
from mlip_sse.potentials.nequip.specs import NequipSpec

__all__ = ["ARCHITECTURE"]


def _arguments(recipe: NequipSpec) -> dict[str, Any]:
    return {
        "num_layers": recipe.layers,
        "l_max": recipe.l_max,
        "parity": recipe.parity,
        "num_features": recipe.features,
        "radial_mlp_depth": recipe.radial_layers,
        "radial_mlp_width": recipe.radial_width,
        "num_bessels": recipe.n_bessels,
        "polynomial_cutoff_p": recipe.cutoff_power,
    }


ARCHITECTURE = Architecture("nequip.model:NequIPGNNModel", _arguments, "pair_nequip", "nequip")
