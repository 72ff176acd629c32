"""What the labels leave open: by how much potentials from resampled labels differ in the quantities of a line.

Members run for a short time each, so that the slopes of their lines, carried to 300 K, differ by noise far more than by
their forces. So first they are taken to differ by a change of barrier δE_k alone, ln D_k(T) = A(T) − δE_k/(k_B T), with
A common to all: this one number per member is known to a few meV, and makes the errors at all temperatures go together.
Where the residuals say that this is not so (χ² of (n − 1)(m − 1) degrees of freedom, p < 0.05), each member has a line
of its own. Either way θ_k, any value or slope of the line, varies by

M = Σ (θ_k − θ̄)²/(n − 1) = S + U,   U the mean of var(θ_k) by the members' own runs,   S = max(M − U, 0).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from mlip_sse.analysis.transport.temperature.weighted_line import WeightedLine, fit_weighted_line
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["Committee", "CommitteeSpread", "committee_of", "spread_of"]

_EXCESS_P = 0.05


@dataclass(frozen=True)
class CommitteeSpread:
    """The committee's share in one quantity.

    Parameters
    ----------
    variance
        S, at least 0.
    mean_square
        M, the variance over the members as found.
    dof
        Degrees of freedom of M.
    """

    variance: float
    mean_square: float
    dof: int


@dataclass(frozen=True, eq=False)
class Committee:
    """How members differ.

    Parameters
    ----------
    lines
        Of ln D, one for each member; empty where barriers alone say it all.
    barriers_ev, variances_ev2 : (n_members,)
        Change of barrier of each member, and its variance by its own runs.
    """

    lines: tuple[WeightedLine, ...]
    barriers_ev: NDArray[np.float64]
    variances_ev2: NDArray[np.float64]

    @property
    def form(self) -> str:
        """How members differ, in words."""
        return "lines of their own" if self.lines else "a barrier of their own"

    def spread_at(self, contrast: NDArray[np.float64]) -> CommitteeSpread | None:
        """Return the committee's share in c₀ a + c₁ b; None for fewer than two members."""
        if not self.lines:
            return spread_of(-contrast[1] * self.barriers_ev, contrast[1] ** 2 * self.variances_ev2)
        read = [line.predict(contrast) for line in self.lines]
        return spread_of(np.array([float(v) for v, _, _ in read]), np.array([float(e) ** 2 for _, e, _ in read]))


def spread_of(values: NDArray[np.float64], variances: NDArray[np.float64]) -> CommitteeSpread | None:
    """Return the spread of a committee beyond its members' own noise; None for fewer than two members.

    Parameters
    ----------
    values : (n_members,) θ_k
    variances : (n_members,) of each by its own runs
    """
    n_members = len(values)
    if n_members < 2:
        return None
    found = float(np.var(values, ddof=1))
    return CommitteeSpread(max(found - float(np.mean(variances)), 0.0), found, n_members - 1)


def committee_of(members: Sequence[Mapping[float, tuple[float, float]]]) -> Committee:
    """Return how members differ.

    Parameters
    ----------
    members
        For each member ln D and its variance by temperature in K; two temperatures or more.
    """
    kelvins = sorted({kelvin for member in members for kelvin in member})
    x = 1.0 / (BOLTZMANN_EV_PER_K * np.array(kelvins))
    y = np.array([[member.get(kelvin, (0.0, 0.0))[0] for kelvin in kelvins] for member in members])
    there = np.array([[kelvin in member for kelvin in kelvins] for member in members], dtype=np.bool_)
    weights = np.array(
        [[1.0 / member[kelvin][1] if kelvin in member else 0.0 for kelvin in kelvins] for member in members]
    )
    if len(members) < 2:
        return Committee((), np.zeros(len(members)), np.ones(len(members)))
    residuals = y - (weights * y).sum(axis=0) / weights.sum(axis=0)
    information = (weights * x**2).sum(axis=1)
    barriers = -(weights * residuals * x).sum(axis=1) / information
    left = residuals + barriers[:, None] * x
    dof = int(there.sum()) - len(kelvins) - len(members) + 1
    if dof > 0 and float(chdtrc(dof, float((weights * left**2).sum()))) < _EXCESS_P:
        lines = [
            fit_weighted_line(x[seen], row[seen], 1.0 / weight[seen])
            for seen, row, weight in zip(there, y, weights, strict=True)
        ]
        return Committee(tuple(lines), barriers, 1.0 / information)
    return Committee((), barriers, 1.0 / information)
