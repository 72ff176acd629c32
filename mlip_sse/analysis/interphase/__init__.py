"""What happens at an interface: species by their surroundings, profiles, growth, products, and energies of interfaces.

The names below load on first use: protocols take the energies without the kernels of the analysis.
"""

from typing import TYPE_CHECKING

from mlip_sse.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlip_sse.analysis.interphase.energies import (
        FormationEnergy,
        explicit_reaction_energy,
        formation_energy,
        work_of_adhesion,
    )
    from mlip_sse.analysis.interphase.environments import Environments, UnitRule
    from mlip_sse.analysis.interphase.growth import Growth, fit_growth
    from mlip_sse.analysis.interphase.interphase import Interphase, InterphaseResult
    from mlip_sse.analysis.interphase.planes import interface_atoms, interface_planes, near_interface
    from mlip_sse.analysis.interphase.products import ProductShare, predicted_products, predicted_shares, product_shares

__all__ = [
    "Environments",
    "FormationEnergy",
    "Growth",
    "Interphase",
    "InterphaseResult",
    "ProductShare",
    "UnitRule",
    "explicit_reaction_energy",
    "fit_growth",
    "formation_energy",
    "interface_atoms",
    "interface_planes",
    "near_interface",
    "predicted_products",
    "predicted_shares",
    "product_shares",
    "work_of_adhesion",
]

_HOME = {
    "Environments": "environments",
    "FormationEnergy": "energies",
    "Growth": "growth",
    "Interphase": "interphase",
    "InterphaseResult": "interphase",
    "ProductShare": "products",
    "UnitRule": "environments",
    "explicit_reaction_energy": "energies",
    "fit_growth": "growth",
    "formation_energy": "energies",
    "interface_atoms": "planes",
    "interface_planes": "planes",
    "near_interface": "planes",
    "predicted_products": "products",
    "predicted_shares": "products",
    "product_shares": "products",
    "work_of_adhesion": "energies",
}

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
