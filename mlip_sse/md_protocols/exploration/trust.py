"""How far the potential is trusted at a look: grade, its excess over the alarm, and a bound on the force error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlip_sse.md_protocols.exploration.ends import End
from mlip_sse.md_protocols.exploration.features import DescriptorFeatures, radial_features
from mlip_sse.potentials.calibration import ForceBounds, grade_indicators
from mlip_sse.potentials.uncertainty import GradeAlarm

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.potentials import Potential
    from mlip_sse.potentials.contract import Card
    from mlip_sse.potentials.pod.potential import PodPotential

__all__ = ["GRADE_BOUNDS", "MAX_EXCESS", "Judge", "Trust", "judge_of", "untrusted"]

GRADE_BOUNDS = "grade_bounds"
"""The key of a card's uncertainty that holds bounds on the grade alone (`grade_indicators`), `ForceBounds.to_dict`."""

MAX_EXCESS = 30.0
"""A segment ends beyond this many times the grade that calls for a label, whatever the bound says."""


@dataclass(frozen=True, eq=False)
class Trust:
    """What a look says of the potential.

    Parameters
    ----------
    grades
        (n_atoms,).
    excess
        Largest grade in units of the limit of its element's alarm; above 1 the frame calls for a label.
    error_bound_ev_a
        The largest bound of all atoms in eV/Å; None where the grade was never calibrated to errors.
    features
        (n_features,) of the frame.
    """

    grades: NDArray[np.float64]
    excess: float
    error_bound_ev_a: float | None
    features: NDArray[np.float32]


class Judge(Protocol):
    """Looks at a run."""

    def prepare(self, engine: Any) -> None:
        """Give LAMMPS what the looks need."""

    def look(self, engine: Any, atoms: "Atoms") -> Trust:
        """Judge the step that LAMMPS has come to, whose structure is ``atoms``."""

    def n_features(self, atoms: "Atoms") -> int:
        """Return how many features a frame of these atoms has."""


def judge_of(potential: "Potential") -> Judge:
    """Return who judges a potential: by its grade where it is of family ``pod``."""
    from mlip_sse.potentials.pod.potential import PodPotential

    return _GradeJudge(potential) if isinstance(potential, PodPotential) else _NoJudge()


def untrusted(trust: Trust, stop_error_ev_a: float | None) -> End | None:
    """Return why the segment ends, or None; within the alarm it never does.

    Parameters
    ----------
    trust
        Of this look.
    stop_error_ev_a
        The largest bound in eV/Å that is accepted; None: the grade alone decides.
    """
    if not trust.excess <= MAX_EXCESS:
        return End("grade", f"a grade of {trust.excess:.1f} times its limit, expected at most {MAX_EXCESS:.0f}")
    bound = trust.error_bound_ev_a
    if stop_error_ev_a is None or bound is None or trust.excess <= 1 or bound <= stop_error_ev_a:
        return None
    return End("error_bound", f"a force may be off by {bound:.2f} eV/Å, expected at most {stop_error_ev_a:g} eV/Å")


class _GradeJudge:
    def __init__(self, potential: "PodPotential") -> None:
        self._potential = potential
        self._alarm, self._bounds = _alarm_of(potential.card), _grade_bounds_of(potential.card)
        self._features = DescriptorFeatures.of(potential)

    def prepare(self, engine: Any) -> None:
        from mlip_sse.potentials.pod.grade_run import descriptor_command

        engine.command(descriptor_command(self._potential))

    def look(self, engine: Any, atoms: "Atoms") -> Trust:
        from mlip_sse.potentials.pod.calculator import grades
        from mlip_sse.potentials.pod.grade_run import live_descriptors

        symbols = atoms.get_chemical_symbols()
        descriptors = live_descriptors(engine, len(atoms), self._potential)
        found = grades(symbols, descriptors, self._potential.active_sets)
        return Trust(
            found,
            self._alarm.excess(found, symbols),
            self._bound(found, symbols),
            self._features.of_frame(symbols, descriptors),
        )

    def n_features(self, atoms: "Atoms") -> int:
        return self._features.n_features

    def _bound(self, found: NDArray[np.float64], symbols: Sequence[str]) -> float | None:
        if self._bounds is None or not np.isfinite(found).all():
            return None
        return float(self._bounds.bounds(grade_indicators(found), symbols).max())


class _NoJudge:
    """Trusts whatever has neither grade nor descriptors: the physical alarms alone end a run."""

    def prepare(self, engine: Any) -> None:
        """Need nothing."""

    def look(self, engine: Any, atoms: "Atoms") -> Trust:
        """Return zeros."""
        return Trust(np.zeros(len(atoms)), 0.0, None, radial_features(atoms))

    def n_features(self, atoms: "Atoms") -> int:
        """Return how many distances and pairs of elements there are."""
        return len(radial_features(atoms))


def _alarm_of(card: "Card") -> GradeAlarm:
    """Return the calibrated alarm, or limits of 1, where extrapolation begins, for a card without one."""
    plain = card.uncertainty.get("alarm")
    return GradeAlarm({}, 0.0, 0) if plain is None else GradeAlarm.from_dict(plain)


def _grade_bounds_of(card: "Card") -> ForceBounds | None:
    plain = card.uncertainty.get(GRADE_BOUNDS)
    return None if plain is None else ForceBounds.from_dict(plain)
