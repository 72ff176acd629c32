"""The repulsion at short range on top of which POD is fitted: `pair_style zbl`, subtracted from the labels.

ZBL is the Coulomb repulsion of two nuclei, screened by their electrons; a switch takes it to zero between two radii.
LAMMPS itself computes what is subtracted, so that `pair_style hybrid/overlay pod zbl` gives it back to the last digit.

References
----------
J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter, Pergamon (1985); no DOI.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlip_sse.potentials.contract import LammpsInput
from mlip_sse.potentials.pod.specs import CoreSpec

if TYPE_CHECKING:
    from mlip_sse.potentials.lammps_calculator import LammpsCalculator

__all__ = ["core_calculator", "core_pair_lines", "standard_masses"]


def core_pair_lines(core: CoreSpec, elements: Sequence[str], *, overlay: bool) -> tuple[str, ...]:
    """Return the ``pair_coeff`` lines of the core for types in the order of ``elements``."""
    from ase.data import atomic_numbers

    style = "zbl " if overlay else ""
    return tuple(
        f"pair_coeff {i} {j} {style}{atomic_numbers[first]} {atomic_numbers[second]}"
        for i, first in enumerate(elements, start=1)
        for j, second in enumerate(elements[i - 1 :], start=i)
    )


def core_calculator(core: CoreSpec, elements: Sequence[str]) -> "LammpsCalculator | None":
    """Return an ASE calculator of the core alone, or None where there is no core."""
    from mlip_sse.potentials.lammps_calculator import LammpsCalculator

    if core.style == "none":
        return None
    style = f"pair_style zbl {core.inner!r} {core.outer!r}"
    lines = (style, *core_pair_lines(core, elements, overlay=False))
    return LammpsCalculator(LammpsInput(tuple(elements), standard_masses(elements), None, lines))


def standard_masses(elements: Sequence[str]) -> tuple[float, ...]:
    """Return the standard atomic weights in amu."""
    from ase.data import atomic_masses, atomic_numbers

    return tuple(float(atomic_masses[atomic_numbers[element]]) for element in elements)
