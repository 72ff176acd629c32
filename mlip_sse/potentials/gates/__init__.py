"""Gates: what a potential must pass before it is handed to anybody.

The names below load on first use: dynamics looks at bonds as it runs, and shall not wait for the gates themselves.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.potentials.gates.result import GateResult
    from mlip_sse.potentials.gates.run import CHEAP_GATES, GATES, run_gates
    from mlip_sse.potentials.gates.structures import choose_structures, from_plain, shipped_structures, to_plain

__all__ = [
    "CHEAP_GATES",
    "GATES",
    "GateResult",
    "choose_structures",
    "from_plain",
    "run_gates",
    "shipped_structures",
    "to_plain",
]

_HOME = {
    "CHEAP_GATES": "run",
    "GATES": "run",
    "GateResult": "result",
    "choose_structures": "structures",
    "from_plain": "structures",
    "run_gates": "run",
    "shipped_structures": "structures",
    "to_plain": "structures",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
