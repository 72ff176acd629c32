"""Which atoms of a trajectory sit in unusual surroundings, and for how long.

The surroundings of the chosen atoms, averaged over their vibrations, are learnt and calibrated on parts of a reference,
so that of usual surroundings a stated share is called strange by chance. An atom that is strange in most of its
structures is not so by chance. Where no other reference is given it is the trajectory itself; then whatever more atoms
do than the stated share is usual by definition, and only rarer distortions are seen.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.environments import Environments
from mlip_sse.analysis.structure.outliers import OutlierDetector, OutlierModel
from mlip_sse.analysis.structure.snapshots import snapshots
from mlip_sse.analysis.structure.time_averages import share_interval

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["DistortionResult", "Distortions"]

_N_GROUPS = 20
_MOST_OF_THE_TIME = 0.5
_FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class DistortionResult:
    """Unusual surroundings.

    Parameters
    ----------
    atoms : (n_atoms,) indices in the trajectory
    frames : (n_structures,) first frame of each structure
    strange : (n_structures, n_atoms)
    scores : (n_structures, n_atoms) larger for stranger surroundings
    strange_share
        Share of strange surroundings over all atoms and structures.
    persistent : (n,) indices of the atoms that are strange in more than half of the structures
    model
        The detector, with its stated and its measured rate of false alarms.
    verdict
        Of the detector.
    """

    atoms: NDArray[np.intp]
    frames: NDArray[np.int64]
    strange: NDArray[np.bool_]
    scores: NDArray[np.float64]
    strange_share: Interval
    persistent: NDArray[np.intp]
    model: OutlierModel
    verdict: Verdict


@dataclass(frozen=True)
class Distortions:
    """Settings.

    Parameters
    ----------
    detector
        Of `mlip_sse.analysis.structure.outliers`.
    environments
        How surroundings are described.
    stride
        Frames from one structure to the next.
    n_averaged
        Frames whose mean is one structure.
    """

    detector: OutlierDetector = field(default_factory=lambda: OutlierDetector(false_alarm_rate=0.01))
    environments: Environments = field(default_factory=Environments)
    stride: int = 1
    n_averaged: int = 1

    def run(
        self,
        trajectory: "Trajectory",
        atoms: NDArray[np.integer],
        species: tuple[str, ...] | None = None,
        reference: "Trajectory | None" = None,
    ) -> DistortionResult:
        """Look for atoms in unusual surroundings.

        Parameters
        ----------
        trajectory
            Unwrapped coordinates.
        atoms : (n,) whose surroundings count
        species
            Whose atoms make up the surroundings; by default all. Without the mobile ions it is the framework.
        reference
            The same atoms in usual surroundings; the trajectory itself by default.

        Raises
        ------
        InputError
            When there are too few structures for the rate of false alarms.
        """
        seen = species or tuple(str(symbol) for symbol in np.unique(trajectory.species))
        frames, table = self._described(trajectory, atoms, seen)
        usual = table if reference is None else self._described(reference, atoms, seen)[1]
        used = np.ptp(usual, axis=(0, 1)) > _FLAT  # not the shells that nobody is in
        blocks = np.arange(len(usual)) * min(_N_GROUPS, len(usual)) // len(usual)
        model = self.detector.fit(usual[:, :, used].reshape(-1, used.sum()), np.repeat(blocks, len(atoms)))
        found = model.assess(table[:, :, used].reshape(-1, used.sum()))
        strange = found.strange.reshape(table.shape[:2])
        persistent = np.asarray(atoms)[strange.mean(axis=0) > _MOST_OF_THE_TIME]
        return DistortionResult(
            np.asarray(atoms),
            frames,
            strange,
            found.scores.reshape(strange.shape),
            share_interval(strange, self.detector.confidence),
            persistent,
            model,
            model.verdict,
        )

    def _described(
        self, trajectory: "Trajectory", atoms: NDArray[np.integer], species: tuple[str, ...]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the frames and the surroundings, (n_structures, n_atoms, n_features)."""
        frames, rows = [], []
        for each in snapshots(trajectory, self.stride, self.n_averaged):
            frames.append(each.frame)
            rows.append(self.environments.describe(each.positions, each.cell, trajectory.species, species, atoms))
        return np.array(frames), np.stack(rows)
