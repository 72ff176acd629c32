"""Features made ready for a learner: useless columns dropped, gaps filled and marked, the rest standardised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.storage import storable

__all__ = ["Preparation", "UselessFeatures", "useless_features"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UselessFeatures:
    """Names of features that tell nothing: all missing, or one value alone."""

    missing: tuple[str, ...]
    constant: tuple[str, ...]

    def __str__(self) -> str:
        parts = [(self.missing, "all missing"), (self.constant, "without variance")]
        return "; ".join(f"{len(names)} {what} ({', '.join(names[:3])})" for names, what in parts if names)

    def __bool__(self) -> bool:
        return bool(self.missing or self.constant)


def useless_features(names: Sequence[str], features: Floats) -> UselessFeatures:
    """Return which columns of (n_rows, n_features) are all missing or constant, where present and where not alike."""
    present = np.isfinite(features)
    missing = ~present.any(axis=0)
    filled = np.where(present, features, np.nan)
    with np.errstate(invalid="ignore"):
        low = np.min(np.where(present, filled, np.inf), axis=0)
        high = np.max(np.where(present, filled, -np.inf), axis=0)
    constant = ~missing & (low == high) & present.all(axis=0)
    pick = np.asarray(names, dtype=object)
    return UselessFeatures(tuple(pick[missing]), tuple(pick[constant]))


@storable
@dataclass(frozen=True, eq=False)
class Preparation:
    """What `fitted_to` learnt of training features; `apply` does the same to others.

    Parameters
    ----------
    kept
        (n_kept,) columns that are used.
    fill, mean, scale
        (n_kept,) median that stands where a value is missing, then mean and standard deviation after filling.
    marked
        (n_marked,) columns whose gaps are marked by one more column of 0 and 1; one for each pattern of gaps.
    n_features
        Columns expected.
    """

    kept: npt.NDArray[np.intp]
    fill: Floats
    mean: Floats
    scale: Floats
    marked: npt.NDArray[np.intp]
    n_features: int

    @classmethod
    def fitted_to(cls, features: Floats) -> "Preparation":
        """Learn from training features (n_rows, n_features), nan where missing.

        Raises
        ------
        InputError
            When no column has two values.
        """
        present = np.isfinite(features)
        some = np.flatnonzero(present.any(axis=0))
        fill = np.array([np.median(features[present[:, at], at]) for at in some])
        filled = np.where(present[:, some], features[:, some], fill)
        scale = filled.std(axis=0)
        useful = scale > 1e-12 * np.maximum(np.abs(fill), 1e-300)
        marked = _patterns(present)
        if not useful.any() and not len(marked):
            raise InputError(
                f"found {features.shape[1]} features over {len(features)} rows, all missing or without variance; "
                f"expected at least one that differs between materials"
            )
        return cls(
            kept=some[useful],
            fill=fill[useful],
            mean=filled[:, useful].mean(axis=0),
            scale=scale[useful],
            marked=marked,
            n_features=features.shape[1],
        )

    @property
    def looked_at(self) -> npt.NDArray[np.intp]:
        """Columns whose value or gap makes a difference, sorted."""
        return np.union1d(self.kept, self.marked)

    def apply(self, features: Floats) -> Floats:
        """Return (n_rows, n_kept + n_marked) standardised features; the marks last."""
        if features.shape[1] != self.n_features:
            raise InputError(
                f"found {features.shape[1]} features, expected the {self.n_features} of the training table"
            )
        chosen = features[:, self.kept]
        filled = np.where(np.isfinite(chosen), chosen, self.fill)
        marks = (~np.isfinite(features[:, self.marked])).astype(np.float64)
        return np.hstack([(filled - self.mean) / self.scale, marks])


def _patterns(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return the first column of each pattern of gaps that some but not all rows have."""
    seen: dict[bytes, int] = {}
    for at in range(present.shape[1]):
        if 0 < present[:, at].sum() < len(present):
            seen.setdefault(np.packbits(present[:, at]).tobytes(), at)
    return np.array(sorted(seen.values()), dtype=np.intp)
