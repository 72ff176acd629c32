"""What a label must pass to enter a dataset: cutoff and k-spacing before it is made, the size of its numbers after.

The codes check no cutoff. GPAW 26.7, PBE, a fixed cell, pressure in GPa at a cutoff in eV: LiF (4.06 Å) -248 at 300,
-57 at 400, -6.1 at 500, 1.7 at 600, 0.1 at 800; LiCl (5.15 Å) 0.2 at 300, -0.1 at 400, 0.1 at 700.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
from pydantic import Field

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import InputError
from mlip_sse.specs import Spec
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["LOWEST_CUTOFFS_EV", "Gates", "require_label", "require_settings"]

_HARD_ELEMENTS = frozenset({"N", "O", "F"})
"""Their 2p states have no nodes to hide behind and need the most plane waves."""

LOWEST_CUTOFFS_EV: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"gpaw": (400.0, 700.0), "vasp": (500.0, 500.0), "espresso": (540.0, 600.0), "cp2k": (4000.0, 5400.0)}
)
"""For each code, without and with N, O or F; CP2K's is that of its finest grid, of 300 and 400 Ry."""


class Gates(Spec):
    """Limits; a label beyond one is refused and says which."""

    force_cap_ev_a: float = Field(50.0, gt=0, description="longest force on an atom in eV/Å")
    pressure_cap_gpa: float = Field(100.0, gt=0, description="largest mean stress, of either sign, in GPa")
    minimum_cutoff_ev: float | None = Field(
        None,
        gt=0,
        description="lowest cutoff in eV instead of the built-in one of the code and the elements",
        examples=[450.0],
    )
    maximum_k_spacing_inv_a: float = Field(0.5, gt=0, description="widest k-spacing in 1/Å, 2π included")


def require_settings(
    code: str, cutoff_ev: float | None, k_spacing_inv_a: float | None, elements: Iterable[str], gates: Gates
) -> None:
    """Refuse a cutoff or k-spacing that cannot give usable stresses for these elements.

    Raises
    ------
    InputError
        Naming the setting, the limit and what to do.
    """
    if cutoff_ev is not None:
        soft, hard = LOWEST_CUTOFFS_EV[code]
        found_hard = sorted(_HARD_ELEMENTS.intersection(elements))
        lowest = gates.minimum_cutoff_ev or (hard if found_hard else soft)
        if cutoff_ev < lowest:
            because = f" with {', '.join(found_hard)}" if found_hard and not gates.minimum_cutoff_ev else ""
            raise InputError(
                f"found cutoff_ev {cutoff_ev:g}, expected at least {lowest:g} eV for {code}{because}: raise it, "
                "or lower gates.minimum_cutoff_ev if you have checked the stress"
            )
    if k_spacing_inv_a is not None and k_spacing_inv_a > gates.maximum_k_spacing_inv_a:
        raise InputError(
            f"found k_spacing_inv_a {k_spacing_inv_a:g}, expected at most {gates.maximum_k_spacing_inv_a:g} 1/Å: "
            "lower it"
        )


def require_label(frame: LabelledFrame, gates: Gates) -> None:
    """Refuse a label whose forces or pressure no bound matter has.

    Raises
    ------
    InputError
        Naming the number and the limit.
    """
    longest = float(np.linalg.norm(frame.forces, axis=1).max())
    if longest > gates.force_cap_ev_a:
        raise InputError(f"found a force of {longest:.4g} eV/Å, expected at most {gates.force_cap_ev_a:g} (force cap)")
    if frame.stress is not None:
        pressure_gpa = -float(frame.stress[:3].mean()) * EV_PER_A3_TO_GPA
        if abs(pressure_gpa) > gates.pressure_cap_gpa:
            raise InputError(
                f"found a pressure of {pressure_gpa:.4g} GPa, expected at most {gates.pressure_cap_gpa:g} in size: the "
                "cutoff is too low or the cell impossible"
            )
