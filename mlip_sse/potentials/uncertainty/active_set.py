"""Extrapolation grade of an atomic environment: its largest coordinate in the training environments of largest volume.

Among the training environments b = [1, x] of one element, x their descriptors, those r are chosen whose determinant is
(locally) largest. Every environment is a combination of them, b = γ·A, and its grade is max_j |γ_j|: about 1 or less
for what lies within the training data, above for what a linear potential must extrapolate to.

The columns are standardised, directions without spread are cut off by a singular value decomposition, and the choice is
improved one exchange at a time, each a rank-one update of all coordinates, until no exchange gains a hundredth.
Neither the choice nor the grade depends on the units or an offset of a column.

A column without any spread in the training (no chlorine has ever been near) has no place in the determinant. A value
other than its constant is outside of all that was seen, so that its deviation, in units of the median spread of the
other columns, counts as a coordinate too.

References
----------
E. V. Podryabinkin and A. V. Shapeev, Comput. Mater. Sci. 140, 171 (2017), doi:10.1016/j.commatsci.2017.08.031.
S. A. Goreinov et al., in Matrix Methods: Theory, Algorithms and Applications (2010), doi:10.1142/9789812836021_0015.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError

__all__ = ["ActiveSet", "extrapolation_grades", "merge_active_sets", "select_active_set"]

_NO_SPREAD = 1e-10  # of the largest value of a column: the rounding of descriptors that are equal by symmetry
_HARDLY_ANY = 1e-14  # of the largest spread of a column: two ions at the very end of the cutoff, once in the data


@dataclass(frozen=True, eq=False)
class ActiveSet:
    """The training environments of one element against which the grade is measured.

    Parameters
    ----------
    rows
        (rank, n_descriptors) the descriptors of the chosen environments.
    projection
        (n_descriptors + 1, n_coordinates) turns [1, x] into coordinates: the first ``rank`` in the chosen environments,
        then one for each column without spread.
    """

    rows: NDArray[np.float64]
    projection: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("rows", "projection"):
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.ndim != 2 or not np.isfinite(array).all():
                raise InputError(f"found {name} of shape {array.shape}, expected a finite matrix")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        rank, n_descriptors = self.rows.shape
        if self.projection.shape[0] != n_descriptors + 1 or self.projection.shape[1] < rank:
            raise InputError(
                f"found rows {self.rows.shape} and a projection {self.projection.shape}, expected "
                f"({n_descriptors + 1}, {rank} or more) for the projection"
            )

    @property
    def rank(self) -> int:
        """How many environments span the training data."""
        return len(self.rows)

    @property
    def n_descriptors(self) -> int:
        """How many descriptors an environment has."""
        return int(self.rows.shape[1])


def select_active_set(descriptors: ArrayLike, *, relative_cutoff: float = 1e-6, tolerance: float = 1.01) -> ActiveSet:
    """Choose the environments of largest volume.

    Parameters
    ----------
    descriptors
        (n_environments, n_descriptors) of one element. Where there are fewer environments than descriptors, the grade
        is measured within the space they span.
    relative_cutoff
        Directions whose singular value is smaller than this share of the largest are cut off.
    tolerance
        Above 1: no training environment has a larger grade.

    Raises
    ------
    InputError
        When there is no environment, a number is not finite, or a setting is out of range.
    """
    x = _matrix(descriptors)
    if not 0 < relative_cutoff < 1:
        raise InputError(f"found a relative_cutoff of {relative_cutoff}, expected more than 0 and less than 1")
    if not 1 < tolerance < np.inf:
        raise InputError(f"found a tolerance of {tolerance}, expected more than 1, such as 1.01")
    means, spreads = x.mean(axis=0), x.std(axis=0)
    varies = (spreads > _NO_SPREAD * np.abs(x).max(axis=0)) & (spreads > _HARDLY_ANY * spreads.max())
    scales = np.where(varies, spreads, np.median(spreads[varies]) if varies.any() else 1.0)
    standardised = np.c_[np.ones(len(x)), (x[:, varies] - means[varies]) / scales[varies]]
    whitening = _whitening(standardised, relative_cutoff)
    whitened = standardised @ whitening
    chosen = _largest_volume(whitened, tolerance)
    within = whitening @ np.linalg.inv(whitened[chosen])
    return ActiveSet(x[chosen], _projection(within, means, scales, varies))


def extrapolation_grades(descriptors: ArrayLike, active: ActiveSet) -> NDArray[np.float64]:
    """Return the grade of each environment.

    Parameters
    ----------
    descriptors
        (n_environments, n_descriptors) of the element of ``active``.
    active
        The active set.

    Returns
    -------
    (n_environments,) dimensionless, max_j |([1, x]·projection)_j|

    Raises
    ------
    InputError
        When the descriptors have another length than those of the active set, or are not finite.
    """
    x = np.asarray(descriptors, dtype=np.float64)
    if x.ndim == 2 and len(x) == 0 and x.shape[1] == active.n_descriptors:
        return np.empty(0)
    x = _matrix(x)
    if x.shape[1] != active.n_descriptors:
        raise InputError(f"found {x.shape[1]} descriptors, expected the {active.n_descriptors} of the active set")
    grades: NDArray[np.float64] = np.abs(x @ active.projection[1:] + active.projection[0]).max(axis=1)
    return grades


def merge_active_sets(
    first: ActiveSet, second: ActiveSet, *, relative_cutoff: float = 1e-6, tolerance: float = 1.01
) -> ActiveSet:
    """Choose anew among the environments of two active sets, without their training data.

    The result spans what both span. Training environments that neither set chose are combinations of the chosen with
    coordinates up to ``tolerance``, so that after a merge they may lie a little above 1.

    Raises
    ------
    InputError
        When the two have descriptors of different length.
    """
    if first.n_descriptors != second.n_descriptors:
        raise InputError(
            f"found active sets of {first.n_descriptors} and {second.n_descriptors} descriptors, expected the same"
        )
    rows = np.vstack([first.rows, second.rows])
    return select_active_set(rows, relative_cutoff=relative_cutoff, tolerance=tolerance)


def _matrix(descriptors: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(descriptors, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"found descriptors of shape {x.shape}, expected (n_environments, n_descriptors)")
    if not np.isfinite(x).all():
        row = int(np.argwhere(~np.isfinite(x))[0, 0])
        raise InputError(f"found a descriptor of environment {row} that is not finite, expected finite numbers")
    return x


def _whitening(standardised: NDArray[np.float64], relative_cutoff: float) -> NDArray[np.float64]:
    """Return the (n_columns, rank) matrix after which the columns are orthonormal: V_r S_r⁻¹."""
    triangle = np.linalg.qr(standardised, mode="r")
    _, singular_values, directions = np.linalg.svd(triangle, full_matrices=False)
    rank = int((singular_values > relative_cutoff * singular_values[0]).sum())
    whitening: NDArray[np.float64] = directions[:rank].T / singular_values[:rank]
    return whitening


def _largest_volume(whitened: NDArray[np.float64], tolerance: float) -> NDArray[np.intp]:
    """Return the rows of (locally) largest volume: no exchange of one of them gains more than ``tolerance``."""
    from scipy.linalg import qr

    rank = whitened.shape[1]
    _, _, order = qr(whitened.T, pivoting=True, mode="economic")
    chosen = np.array(order[:rank], dtype=np.intp)
    while True:  # each exchange enlarges the volume, so that it ends; a second pass only mends rounding
        coordinates = np.ascontiguousarray(np.linalg.solve(whitened[chosen].T, whitened.T).T)
        if _exchange(coordinates, chosen, tolerance) == 0:
            return chosen


@njit(cache=True)
def _exchange(coordinates, chosen, tolerance):  # type: ignore[no-untyped-def]
    """Exchange rows until no coordinate is above ``tolerance``; coordinates and choice are changed in place."""
    n_rows, rank = coordinates.shape
    n_exchanges = 0
    step = np.empty(rank)
    row, column, largest = 0, 0, 0.0
    for i in range(n_rows):
        for j in range(rank):
            if abs(coordinates[i, j]) > largest:
                row, column, largest = i, j, abs(coordinates[i, j])
    while largest > tolerance:
        step[:] = coordinates[row] / coordinates[row, column]
        step[column] -= 1.0 / coordinates[row, column]
        chosen[column] = row
        n_exchanges += 1
        largest, last_row, last_column = 0.0, row, column
        for i in range(n_rows):
            here = coordinates[i]
            factor = here[last_column]
            peak = 0.0
            for j in range(rank):
                here[j] -= factor * step[j]
                peak = max(peak, abs(here[j]))
            if peak > largest:
                row, largest = i, peak
        if largest > tolerance:
            column = int(np.argmax(np.abs(coordinates[row])))
        if row == last_row and column == last_column:
            break
    return n_exchanges


def _projection(
    within: NDArray[np.float64],
    means: NDArray[np.float64],
    scales: NDArray[np.float64],
    varies: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the matrix that acts on raw [1, x], from ``within``, which acts on standardised columns."""
    n_descriptors, rank = len(means), within.shape[1]
    constant = np.flatnonzero(~varies)
    projection = np.zeros((n_descriptors + 1, rank + len(constant)))
    projection[1:][varies, :rank] = within[1:] / scales[varies, None]
    projection[0, :rank] = within[0] - means[varies] @ projection[1:][varies, :rank]
    columns = rank + np.arange(len(constant))
    projection[1 + constant, columns] = 1.0 / scales[constant]
    projection[0, columns] = -means[constant] / scales[constant]
    return projection
