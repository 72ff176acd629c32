"""How nequip builds the network of an Allegro recipe."""

from typing import Any

from mlip_sse.potentials.allegro.specs import AllegroSpec
from mlip_sse.potentials.equivariant.network import Architecture

__all__ = ["ARCHITECTURE"]


def _arguments(recipe: AllegroSpec) -> dict[str, Any]:
    return {
        "num_layers": recipe.layers,
        "l_max": recipe.l_max,
        "parity": recipe.parity,
        "num_scalar_features": recipe.scalar_features,
        "num_tensor_features": recipe.tensor_features,
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": recipe.n_bessels,
            "bessel_trainable": False,
            "polynomial_cutoff_p": recipe.cutoff_power,
        },
        "scalar_embed_mlp_hidden_layers_width": recipe.width,
        "allegro_mlp_hidden_layers_width": recipe.width,
        "readout_mlp_hidden_layers_width": recipe.width,
    }


ARCHITECTURE = Architecture("allegro.model:AllegroModel", _arguments, "pair_allegro", "allegro")
