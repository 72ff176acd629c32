"""What protocols of an interface begin with: a cell of bulks that are at rest in the forces to come."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlip_sse.engine import Engine
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import RunError
from mlip_sse.md_protocols.force_source import ForceSource
from mlip_sse.md_protocols.interface_parts import Convergence, Part, relax_parts

if TYPE_CHECKING:
    from mlip_sse.md_protocols.interface_specs import InterfaceSpec
    from mlip_sse.structures.interfaces import Interface

__all__ = ["interface_at_rest"]

_BULK_FMAX = 0.005
_BULK_STRESS_GPA = 0.01
_BULK_STEPS = 1000


def interface_at_rest(
    spec: "InterfaceSpec",
    source: ForceSource,
    engine: Engine,
    *,
    time_limit_s: float = 86400.0,
    progress: Callable[[TaskProgress], None] | None = None,
) -> "tuple[Interface, int]":
    """Build an interface of bulks that are at rest; return it, and how many had been relaxed before.

    Raises
    ------
    InputError
        When a bulk cannot be had or cut, no match lies within the limits, or the potential does not know an element.
    RunError
        When a bulk cannot be relaxed.
    """
    bulks = spec.bulks()
    source.require_elements([symbol for bulk in bulks for symbol in bulk.get_chemical_symbols()])
    if spec.relax == "none":
        return spec.build(bulks), 0
    parts = {name: Part(bulk, (spec.relax,)) for name, bulk in zip(("a", "b"), bulks, strict=True)}
    goal = Convergence(fmax=_BULK_FMAX, stress_tolerance_gpa=_BULK_STRESS_GPA, max_steps=_BULK_STEPS)
    found, n_reused = relax_parts(parts, goal, source, engine, time_limit_s=time_limit_s, progress=progress)
    for name, part in found.items():
        if part.reasons:
            raise RunError(f"the bulk of side {name} cannot be relaxed: {'; '.join(part.reasons)}")
    return spec.build((found["a"].atoms, found["b"].atoms)), n_reused
