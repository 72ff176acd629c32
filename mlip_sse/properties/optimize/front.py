"""Several properties at once: which materials no other one beats, and how much space they leave behind them.

A point dominates another when it is nowhere worse and somewhere better; the front is what nothing dominates. The
hypervolume is the measure of all values that are dominated by the front and better than a reference point; its growth
is the one number that says what another measurement was worth.

References
----------
Zitzler and Thiele, IEEE Trans. Evol. Comput. 3, 257 (1999), 10.1109/4235.797969; Yang, Emmerich, Deutz and Bäck, J.
Glob. Optim. 75, 3 (2019), 10.1007/s10898-019-00798-7 (expected improvement).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, MissingExtraError, did_you_mean

__all__ = ["DIRECTIONS", "Objective", "hypervolume", "oriented", "pareto_front", "reference_of"]

Floats = npt.NDArray[np.float64]

DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True)
class Objective:
    """A property and which way it should go.

    Parameters
    ----------
    name, unit
        Of the property, as in a table.
    direction
        ``maximize`` or ``minimize``.
    reference
        The worst value that still counts for a hypervolume; the worst one measured where left out.
    is_log
        Whether log10 of the value is what is learnt and compared.
    """

    name: str
    direction: str = "maximize"
    unit: str = ""
    reference: float | None = None
    is_log: bool = False

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise InputError(
                f"objective {self.name}: found the direction {self.direction!r}, expected maximize or minimize"
                f"{did_you_mean(str(self.direction), DIRECTIONS)}"
            )
        if self.is_log and self.reference is not None and self.reference <= 0:
            raise InputError(f"objective {self.name}: found the reference {self.reference:g}, expected it positive")

    def learnt(self, values: npt.ArrayLike) -> Floats:
        """Return values as they are learnt: more is better, log10 where it says so.

        Raises
        ------
        InputError
            When a value is not finite, or not positive where its log10 is wanted.
        """
        found = np.asarray(values, dtype=np.float64)
        bad = ~np.isfinite(found) | ((found <= 0) & self.is_log)
        if bad.any():
            expected = "a positive number" if self.is_log else "a finite number"
            raise InputError(f"objective {self.name}: found {found[bad].flat[0]}, expected {expected}")
        sign = 1.0 if self.direction == "maximize" else -1.0
        return np.asarray(sign * (np.log10(found) if self.is_log else found))


def oriented(values: npt.ArrayLike, objectives: Sequence[Objective]) -> Floats:
    """Return values (n_rows, n_objectives) such that more is better in each column."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != len(objectives):
        raise InputError(f"found values of shape {found.shape}, expected (n_rows, {len(objectives)})")
    return np.column_stack([each.learnt(found[:, at]) for at, each in enumerate(objectives)])


def reference_of(better: Floats, objectives: Sequence[Objective]) -> Floats:
    """Return the reference point, (n_objectives,), more being better: what is given, else the worst that was found."""
    given = [None if each.reference is None else float(each.learnt([each.reference])[0]) for each in objectives]
    return np.array([better[:, at].min() if each is None else each for at, each in enumerate(given)])


def pareto_front(better: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Return the rows that no other dominates, in their order; of equal rows the first.

    Parameters
    ----------
    better
        (n_rows, n_objectives), more being better in each column.
    """
    found = np.asarray(better, dtype=np.float64)
    if found.ndim != 2 or np.isnan(found).any():
        raise InputError(f"found values of shape {found.shape}, expected (n_rows, n_objectives) without gaps")
    order = np.lexsort((np.arange(len(found)), *(-found[:, at] for at in reversed(range(found.shape[1])))))
    kept: list[int] = []
    for row in order:  # a row is dominated, or repeated, only by rows before it in this order
        if not kept or not (found[kept] >= found[row]).all(axis=1).any():
            kept.append(int(row))
    return np.array(sorted(kept), dtype=np.intp)


def hypervolume(better: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the measure of what the rows dominate above a reference point.

    Parameters
    ----------
    better
        (n_rows, n_objectives), more being better.
    reference
        (n_objectives,).
    """
    found, floor = np.asarray(better, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if found.ndim != 2 or floor.shape != (found.shape[1],):
        raise InputError(
            f"found values of shape {found.shape} and a reference of shape {floor.shape}, expected as many"
        )
    above = found[(found > floor).all(axis=1)]
    if not len(above):
        return 0.0
    above = above[pareto_front(above)]
    if above.shape[1] == 1:
        return float(above.max() - floor[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of torch about what BoTorch's own packages use
            import torch
            from botorch.utils.multi_objective.hypervolume import Hypervolume
    except ImportError as error:
        raise MissingExtraError("a hypervolume", "properties") from error
    return float(Hypervolume(torch.from_numpy(floor)).compute(torch.from_numpy(above)))
