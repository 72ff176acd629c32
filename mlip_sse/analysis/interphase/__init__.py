"""What happens at an interface: species by their surroundings, profiles, growth, products, and energies of interfaces.

The names below load on first use: protocols take the energies without the kernels of the analysis.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.analysis.interphase.energies import (
        FormationEnergy,
        explicit_reaction_energy,
        formation_energy,
        work_of_adhesion,
    )
    from mlip_sse.analysis.interphase.planes import interface_atoms, interface_planes, near_interface

__all__ = [
    "FormationEnergy",
    "explicit_reaction_energy",
    "formation_energy",
    "interface_atoms",
    "interface_planes",
    "near_interface",
    "work_of_adhesion",
]

_HOME = {
    "FormationEnergy": "energies",
    "explicit_reaction_energy": "energies",
    "formation_energy": "energies",
    "interface_atoms": "planes",
    "interface_planes": "planes",
    "near_interface": "planes",
    "work_of_adhesion": "energies",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
