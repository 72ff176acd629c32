"""Gates: what a potential must pass before it is handed to anybody."""

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
