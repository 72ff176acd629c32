"""Interatomic potentials behind one contract: an ASE calculator, LAMMPS pair-style lines and a card.

The names below load on first use: LAMMPS looks into `lammps_plugin` at each of its starts and shall not wait for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.potentials.contract import Card, LammpsInput, Potential, load_potential

__all__ = ["Card", "LammpsInput", "Potential", "load_potential"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("mlip_sse.potentials.contract"), name)
    raise AttributeError(f"module 'mlip_sse.potentials' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
