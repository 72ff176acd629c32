"""Gates: what a potential must pass before it is handed to anybody.

The names below load on first use: dynamics looks at bonds as it runs, and shall not wait for the gates themselves.
"""

from typing import TYPE_CHECKING

from mlip_sse.lazy_names import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
