"""The paddle-wheel question for one trajectory: reorientations of its units against hops of the cations near them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.cation_hops import CationHops, displacement_hops
from mlip_sse.analysis.mechanism.coupling import Coupling, RateCoupling, couple_events, couple_rates, near_pairs
from mlip_sse.analysis.mechanism.ion_paths import fractional_paths
from mlip_sse.analysis.mechanism.orientations import rotation_angles
from mlip_sse.analysis.results import Verdict
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells

if TYPE_CHECKING:
    from mlip_sse.analysis.mechanism.rotation import RotationResult
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["PaddleWheel", "PaddleWheelResult"]

_UNEVEN = 0.001


@dataclass(frozen=True, eq=False)
class PaddleWheelResult:
    """What `PaddleWheel.run` found.

    Parameters
    ----------
    events
        Reorientations against hops.
    rates
        Rates of turning and of moving.
    hops
        All hops of the cations.
    verdict
        Quality and reasons.
    """

    events: Coupling
    rates: RateCoupling
    hops: CationHops
    verdict: Verdict


@dataclass(frozen=True)
class PaddleWheel:
    """Settings of the coupling of reorientations to hops.

    Parameters
    ----------
    cations
        Species that hop.
    near
        Å from a unit's centre within which a hop counts as near it.
    hop_distance
        Å between the averages before and after a hop; for hops by displacement alone.
    hop_window_ps
        Length of each average.
    coincidence_ps
        Largest time between a reorientation and a hop that count as one.
    interval_ps
        Over which the continuous version takes rates.
    confidence
        Of the intervals and, as 1 - confidence, the p-value below which we speak of coupling.
    """

    cations: tuple[str, ...] = ("Li",)
    near: float = 5.0
    hop_distance: float = 2.0
    hop_window_ps: float = 0.5
    coincidence_ps: float = 1.0
    interval_ps: float = 1.0
    confidence: float = 0.95

    def run(
        self, trajectory: "Trajectory", rotation: "RotationResult", hops: CationHops | None = None
    ) -> PaddleWheelResult:
        """Analyse a trajectory whose rotation is known.

        Parameters
        ----------
        trajectory
            In the reference frame of its framework.
        rotation
            Of `mlip_sse.analysis.mechanism.rotation.Rotation.run` on the same trajectory.
        hops
            Of sites, see `mlip_sse.analysis.mechanism.cation_hops.hops_between_sites`; by displacement where not given.

        Raises
        ------
        InputError
            When there are no such cations, ``near`` is too large for the cell, or the trajectory is too short.
        """
        spacing = trajectory.frame_spacing_fs
        ions = trajectory.indices(self.cations)
        whole = np.flatnonzero(rotation.ends == trajectory.n_frames)
        if not whole.size:
            raise InputError(f"none of the {len(rotation.ends)} units stays whole, expected one: nothing to couple")
        if hops is None:
            hops = displacement_hops(trajectory, ions, self.hop_distance, self._frames(self.hop_window_ps, spacing))
        centres = fractional_paths(trajectory, rotation.units.centres[whole])
        at = hops.frames
        events, units = near_pairs(hops.places, centres[at], consistent_cells(trajectory.cells)[at], self.near)
        turns = rotation.reorientations
        is_whole = np.isin(turns.units, whole)
        margin = max(hops.margin, rotation.residence)
        coupled = couple_events(
            (turns.frames[is_whole], np.searchsorted(whole, turns.units[is_whole]).astype(np.int64)),
            (at[events], units),
            (margin, trajectory.n_frames - margin),
            self._frames(self.coincidence_ps, spacing),
            spacing,
            confidence=self.confidence,
        )
        rates = self._rates(trajectory, rotation.quaternions[whole], centres, ions)
        return PaddleWheelResult(coupled, rates, hops, self._verdict(coupled, hops, trajectory, margin))

    def attempt(self, trajectory: "Trajectory", rotation: "RotationResult") -> "PaddleWheelResult | str":
        """Return the result, or in words why there is none."""
        try:
            return self.run(trajectory, rotation)
        except InputError as error:
            return str(error)

    def _frames(self, time_ps: float, spacing_fs: float) -> int:
        return max(1, round(1000.0 * time_ps / spacing_fs))

    def _rates(
        self,
        trajectory: "Trajectory",
        quaternions: NDArray[np.float64],
        centres: NDArray[np.float64],
        ions: NDArray[np.intp],
    ) -> RateCoupling:
        interval = self._frames(self.interval_ps, trajectory.frame_spacing_fs)
        starts = np.arange(0, trajectory.n_frames - interval, interval, dtype=np.int64)
        turning = rotation_angles(quaternions[:, starts], quaternions[:, starts + interval])
        moving = np.zeros_like(turning)
        total, number = np.zeros_like(turning), np.zeros_like(turning)
        cells = np.ascontiguousarray(consistent_cells(trajectory.cells)[starts])
        block = max(1, (32 << 20) // (24 * trajectory.n_frames))
        for first in range(0, len(ions), block):
            paths = fractional_paths(trajectory, ions[first : first + block])
            _move_near(centres[starts], paths[starts], paths[starts + interval], cells, self.near, total, number)
        np.divide(total, number, out=moving, where=number > 0)
        return couple_rates(
            turning, moving, interval * trajectory.frame_spacing_fs / 1000.0, confidence=self.confidence
        )

    def _verdict(self, found: Coupling, hops: CationHops, trajectory: "Trajectory", margin: int) -> Verdict:
        verdict = Verdict()
        if found.word == "not enough events":
            limit = ""
            if found.n_reorientations:
                at_least = "more than one hop" if found.detectable > 1 else f"{found.detectable:.2g} hops"
                limit = f"; only {at_least} by reorientation beyond chance would be seen"
            verdict = verdict.weaken(
                f"coupling not resolved: {found.n_reorientations} reorientations and {found.n_hops} hops near units"
                f"{limit}; watch longer, or at a higher temperature"
            )
        half = trajectory.n_frames // 2
        early = int(np.sum((hops.frames >= margin) & (hops.frames < half)))
        late = int(np.sum((hops.frames >= half) & (hops.frames < trajectory.n_frames - margin)))
        if early + late:
            from scipy.stats import binomtest

            p_value = float(binomtest(early, early + late, 0.5).pvalue)
            if p_value < _UNEVEN:
                verdict = verdict.weaken(
                    f"{early} hops in the first half and {late} in the second: the run is not at equilibrium or the "
                    "hops come in flurries, and shifts in time are a fair null only for steady processes"
                )
        return verdict


@nb.njit(cache=True)
def _move_near(centres: Any, before: Any, after: Any, cells: Any, radius: float, total: Any, number: Any) -> None:
    """Add the displacements of ions near units to total, and their number to number, (n_units, n_times).

    centres : (n_times, n_units, 3), before and after : (n_times, n_ions, 3) fractions; cells : (n_times, 3, 3) Å
    """
    vector = np.empty(3)
    for t in range(centres.shape[0]):
        cell = cells[t]
        for i in range(before.shape[1]):
            for a in range(3):
                vector[a] = after[t, i, a] - before[t, i, a]
            moved = _length(vector, cell)
            for u in range(centres.shape[1]):
                for a in range(3):
                    apart = before[t, i, a] - centres[t, u, a]
                    vector[a] = apart - np.rint(apart)
                if _length(vector, cell) <= radius:
                    total[u, t] += moved
                    number[u, t] += 1.0


@nb.njit(cache=True)
def _length(vector: Any, cell: Any) -> float:
    square = 0.0
    for b in range(3):
        x = vector[0] * cell[0, b] + vector[1] * cell[1, b] + vector[2] * cell[2, b]
        square += x * x
    return float(np.sqrt(square))
