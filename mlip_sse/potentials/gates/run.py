"""All gates by name, and one call that runs them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from ase import Atoms

from mlip_sse.errors import InputError
from mlip_sse.potentials.contract import Potential
from mlip_sse.potentials.gates.derivatives import finite_differences
from mlip_sse.potentials.gates.dynamics import md_stability, nve_drift
from mlip_sse.potentials.gates.extensivity import extensivity
from mlip_sse.potentials.gates.parity import parity
from mlip_sse.potentials.gates.repulsion import dimer_repulsion
from mlip_sse.potentials.gates.result import GateResult

__all__ = ["CHEAP_GATES", "GATES", "run_gates"]

GATES: Mapping[str, Callable[[Potential, Sequence[Atoms]], GateResult]] = MappingProxyType(
    {
        "parity": parity,
        "finite_differences": finite_differences,
        "extensivity": extensivity,
        "dimer_repulsion": dimer_repulsion,
        "nve_drift": nve_drift,
        "md_stability": md_stability,
    }
)
"""Every gate, the quick ones first."""

CHEAP_GATES = ("parity", "finite_differences", "extensivity", "dimer_repulsion")
"""Those that take seconds; the others run molecular dynamics."""


def run_gates(
    potential: Potential,
    structures: Sequence[Atoms],
    which: Iterable[str] | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, GateResult]:
    """Run gates on a potential.

    Parameters
    ----------
    potential
        Any potential.
    structures
        Periodic structures that it should describe; dynamics runs on the first.
    which
        Names of gates; all where it is not given.
    progress
        Called with the share done and the name of the gate that starts.

    Raises
    ------
    InputError
        When there is no structure, or no such gate.
    """
    names = list(GATES if which is None else which)
    if unknown := [name for name in names if name not in GATES]:
        raise InputError(f"found no gate {unknown[0]!r}, expected some of {', '.join(GATES)}")
    if not structures:
        raise InputError("found no structures, expected at least one for the gates to run on")
    for atoms in structures:
        if stray := sorted(set(atoms.get_chemical_symbols()) - set(potential.card.elements)):
            raise InputError(
                f"found {', '.join(stray)} in {atoms.get_chemical_formula()}, expected structures of "
                f"{', '.join(potential.card.elements)}"
            )
    results = {}
    for number, name in enumerate(names):
        if progress is not None:
            progress(number / len(names), name)
        results[name] = GATES[name](potential, structures)
    return results
