"""POD: a fast linear potential on the descriptors of LAMMPS' ML-POD, whose fits add up.

`PodPotential.fit` fits, `PodPotential.add_frames` goes on, `combine` joins experts.
"""

from typing import TYPE_CHECKING, Any

from mlip_sse.potentials.pod.specs import CoreSpec, ManyBodySpec, PodSpec, RowWeights

if TYPE_CHECKING:
    from mlip_sse.potentials.pod.combination import combine
    from mlip_sse.potentials.pod.potential import PodPotential

__all__ = ["CoreSpec", "ManyBodySpec", "PodPotential", "PodSpec", "RowWeights", "combine"]

_LAZY = {"PodPotential": "potential", "combine": "combination"}


def __getattr__(name: str) -> Any:
    """Import the fit only where it is used: a recipe is checked without it."""
    from importlib import import_module

    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
