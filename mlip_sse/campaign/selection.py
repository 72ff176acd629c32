"""Which of the frames that exploration saw are labelled.

Each frame has a score: the largest spread of the committee on a mobile ion or on an atom of its shell. The frames are
taken one by one, next always that with the largest product of score and distance, in the space of features, to what is
known or taken already: where the committee disagrees, but not twice in the same place. The units of scores and features
do not matter, and neither does the order of the frames.

References
----------
T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985), doi:10.1016/0304-3975(85)90224-5, for the farthest-point rule.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError

__all__ = ["STRATEGIES", "Pool", "frame_scores", "held_out_frames", "last_looks", "select_frames"]

STRATEGIES = ("committee", "random")


@dataclass(frozen=True, eq=False)
class Pool:
    """The frames to choose from.

    Parameters
    ----------
    features
        (n_frames, n_features): near each other for frames that are alike.
    scores
        (n_frames,) eV/Å; NaN where the committee was not asked.
    excess
        (n_frames,) grade in units of its alarm; ranks the frames without a score, behind all others.
    segments
        (n_frames,) the number of the segment each comes from.
    times
        (n_frames,) ps since the start of its segment.
    """

    features: NDArray[np.floating]
    scores: NDArray[np.float64]
    excess: NDArray[np.float64]
    segments: NDArray[np.intp]
    times: NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(self.scores)
        for name in ("scores", "excess", "segments", "times"):
            if np.shape(getattr(self, name)) != (n,):
                raise InputError(f"found {name} of shape {np.shape(getattr(self, name))}, expected ({n},)")
        if np.ndim(self.features) != 2 or len(self.features) != n or not np.isfinite(self.features).all():
            raise InputError(
                f"found features of shape {np.shape(self.features)}, expected finite numbers of shape ({n}, n_features)"
            )

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def order(self) -> NDArray[np.intp]:
        """(n_frames,) the frames by segment and time, whatever their order here."""
        return np.lexsort((self.times, self.segments)).astype(np.intp)

    def taken(self, places: ArrayLike) -> "Pool":
        """Return the pool of some of the frames, in the order of their indices ``places``."""
        chosen = np.asarray(places, dtype=np.intp)
        names = ("features", "scores", "excess", "segments", "times")
        return Pool(**{name: getattr(self, name)[chosen] for name in names})


def frame_scores(
    forces_std: ArrayLike, symbols: Sequence[str], positions: ArrayLike, cell: ArrayLike, mobile: str, shell_a: float
) -> float:
    """Return the score of one frame in eV/Å: the largest spread on a mobile ion, or on an atom within its shell.

    Parameters
    ----------
    forces_std
        (n_atoms,) eV/Å.
    symbols
        Of the atoms.
    positions
        (n_atoms, 3) Å; wrapped or not.
    cell
        (3, 3) Å, periodic in three directions.
    mobile
        The mobile ion.
    shell_a
        Radius of its shell in Å.

    Raises
    ------
    InputError
        When there is no mobile ion, or the spreads are not one for each atom.
    """
    from ase import Atoms

    from mlip_sse.structures.separation import close_pairs

    spreads, names = np.asarray(forces_std, dtype=np.float64), np.asarray(symbols)
    if spreads.shape != names.shape:
        raise InputError(f"found spreads of shape {spreads.shape}, expected ({len(names)},), one for each atom")
    counted = names == mobile
    if not counted.any():
        raise InputError(f"found no {mobile} among {', '.join(sorted(set(symbols)))}, expected the mobile ion")
    atoms = Atoms(names.tolist(), positions=np.asarray(positions), cell=np.asarray(cell), pbc=True)
    first, second, _ = close_pairs(atoms, shell_a)
    is_mobile = counted.copy()
    counted[second[is_mobile[first]]] = True
    counted[first[is_mobile[second]]] = True
    return float(spreads[counted].max())


def select_frames(
    pool: Pool,
    n: int,
    *,
    strategy: str = "committee",
    per_segment: int,
    known_features: ArrayLike | None = None,
    first: Sequence[int] = (),
    seed: int,
) -> NDArray[np.intp]:
    """Choose frames to label.

    Parameters
    ----------
    pool
        The frames.
    n
        How many are wanted; fewer are returned where the pool, or the cap, gives no more.
    strategy
        ``committee``: largest score times distance first; ``random``: uniformly, the control arm.
    per_segment
        Most frames of one segment.
    known_features
        (n_known, n_features) of frames that are labelled already, from the same potential as those of the pool.
    first
        Indices that the committee strategy takes before all others, as far as ``n`` and the cap allow: the last looks
        of segments that blew up, which neither grade nor committee need have noticed.
    seed
        Of the random strategy.

    Returns
    -------
    (n_chosen,) indices, in the order in which they were chosen.

    Raises
    ------
    InputError
        When the strategy is unknown, a number is out of range, or the known features have another length.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"found strategy {strategy!r}, expected {' or '.join(STRATEGIES)}")
    if n < 0 or per_segment < 1:
        raise InputError(f"found n {n} and per_segment {per_segment}, expected 0 and 1, or more")
    known = np.empty((0, pool.features.shape[1])) if known_features is None else np.asarray(known_features, dtype=float)
    if known.ndim != 2 or (known.shape[1] != pool.features.shape[1] and len(known) and len(pool)):
        raise InputError(f"found known features of shape {known.shape}, expected (n, {pool.features.shape[1]})")
    if strategy == "random":
        return _capped(np.random.default_rng(seed).permutation(pool.order), pool.segments, n, per_segment)
    begin = _capped(np.array(list(first), dtype=np.intp), pool.segments, n, per_segment)
    return _farthest(pool, n, per_segment, known if len(pool) else np.empty((0, pool.features.shape[1])), begin)


def held_out_frames(pool: Pool, n: int, *, taken: Collection[int], seed: int) -> NDArray[np.intp]:
    """Choose frames that never train: uniformly among all that were seen, without those that were taken.

    Parameters
    ----------
    pool
        The frames.
    n
        How many are wanted.
    taken
        Indices that may not be chosen.
    seed
        Of the draw.

    Returns
    -------
    (n_chosen,) indices.
    """
    if n < 0:
        raise InputError(f"found n {n}, expected 0 or more")
    free = pool.order[~np.isin(pool.order, np.fromiter(taken, dtype=np.intp, count=len(taken)))]
    return np.random.default_rng(seed).permutation(free)[:n].astype(np.intp)


def last_looks(pool: Pool, segments: Collection[int], n: int) -> NDArray[np.intp]:
    """Return the indices of the last ``n`` frames of each of some segments, one segment after the other."""
    order = pool.order
    places = [order[pool.segments[order] == segment][-n:] if n else [] for segment in sorted(segments)]
    return np.concatenate([np.empty(0, dtype=np.intp), *places]).astype(np.intp)


def _capped(ranked: NDArray[np.intp], segments: NDArray[np.intp], n: int, per_segment: int) -> NDArray[np.intp]:
    """Return the first ``n`` that the cap lets through."""
    counts: dict[int, int] = {}
    chosen: list[int] = []
    for place in ranked.tolist():
        segment = int(segments[place])
        if len(chosen) < n and counts.get(segment, 0) < per_segment:
            counts[segment] = counts.get(segment, 0) + 1
            chosen.append(place)
    return np.array(chosen, dtype=np.intp)


def _farthest(
    pool: Pool, n: int, per_segment: int, known: NDArray[np.float64], begin: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Take argmax_i s_i·d_i, where d_i is the distance to the nearest known or taken frame, until there are enough."""
    order = pool.order  # ties go to the earliest, in whatever order the frames came
    features = np.asarray(pool.features, dtype=np.float64)[order]
    scores, segments = _positive_scores(pool)[order], pool.segments[order]
    distances = np.full(len(order), np.inf)
    free = np.ones(len(order), dtype=bool)
    chosen: list[int] = []

    def take(place: int) -> None:
        chosen.append(place)
        np.minimum(distances, np.linalg.norm(features - features[place], axis=1), out=distances)
        if (segments[chosen] == segments[place]).sum() >= per_segment:
            free[segments == segments[place]] = False

    for row in known:
        np.minimum(distances, np.linalg.norm(features - row, axis=1), out=distances)
    for place in np.argsort(order)[begin].tolist():
        take(place)
    while len(chosen) < n and len(order):
        # While nothing is known every frame is equally far.
        gains = np.where(free, scores * (1.0 if np.isinf(distances).all() else distances), 0.0)
        if gains.max() <= 0:
            break
        take(int(gains.argmax()))
    return order[np.array(chosen, dtype=np.intp)]


def _positive_scores(pool: Pool) -> NDArray[np.float64]:
    """Return scores above zero; frames without one lie by a factor of a million behind, by their excess."""
    known = np.isfinite(pool.scores)
    least = float(pool.scores[known].min()) if known.any() else 1.0
    least = max(least, 1e-12)
    excess = np.nan_to_num(pool.excess, nan=0.0, posinf=1e6)
    behind = 1e-6 * least * (1e-3 + excess) / (1e-3 + max(float(excess.max(initial=0.0)), 0.0))
    return np.where(known, np.maximum(pool.scores, 1e-12), behind)
