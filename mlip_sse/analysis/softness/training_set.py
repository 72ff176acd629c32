"""Hop and stable classes without leakage: one sample a hop, equal sizes, folds that share neither ions nor time."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.softness.hop_indicator import HopIndicator, Thresholds
from mlip_sse.analysis.softness.hops import Hops, StableSpans, find_stable_spans
from mlip_sse.errors import InputError

__all__ = ["MIN_PER_CLASS", "Fold", "Samples", "Split", "choose_stable_spans", "draw_samples", "make_folds"]

MIN_PER_CLASS = 30
"""Fewer samples of a class than this are not classified."""

STABLE_RESIDENCES = (3.0, 2.0, 1.0)


class Split(StrEnum):
    """What the folds of a cross-validation have not in common."""

    IONS = "ions"
    TIME = "time"
    BOTH = "both"


@dataclass(frozen=True, eq=False)
class Samples:
    """Frames and ions of both classes.

    Parameters
    ----------
    frames, ions : (n_samples,)
        Frame, and row of the ion among the mobile ions.
    hops : (n_samples,)
        True for the hop class.
    """

    frames: NDArray[np.int64]
    ions: NDArray[np.int64]
    hops: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def n_per_class(self) -> int:
        """Samples in each class."""
        return int(self.hops.sum())


@dataclass(frozen=True, eq=False)
class Fold:
    """Samples to learn from and samples to be tested on, as places in the samples; see `make_folds`."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def choose_stable_spans(
    indicator: HopIndicator, thresholds: Thresholds, hops: Hops, wanted: int, stable_ps: float | None = None
) -> StableSpans:
    """Return stable spans of a given length, or of the longest that leaves ``wanted`` of them.

    Lengths of 3, 2 and 1 mean residence times are tried, and at last one window t_R (p_hop itself looks half a window
    ahead and back, so that such an ion rests for twice as long).
    """
    spacing = indicator.frame_spacing_fs
    if stable_ps is not None:
        return find_stable_spans(indicator, thresholds, round(1000.0 * stable_ps / spacing))
    window = 2 * indicator.half
    for factor in STABLE_RESIDENCES:
        length = factor * hops.residence_ps * 1000.0 / spacing
        if window < length < indicator.values.shape[1]:
            spans = find_stable_spans(indicator, thresholds, round(length))
            if len(spans) >= wanted:
                return spans
    return find_stable_spans(indicator, thresholds, window)


def draw_samples(hops: Hops, spans: StableSpans, max_per_class: int, seed: int) -> Samples:
    """Draw as many samples of one class as of the other.

    The hop class is the frame before p_hop crosses p_c, one a hop, rattles left out; the stable class is the middle of
    stable pieces.

    Parameters
    ----------
    max_per_class
        More are not drawn.
    seed
        Equal seeds draw equal samples.

    Raises
    ------
    InputError
        When a class has fewer than 30 samples; the message counts them.
    """
    chosen = np.flatnonzero(hops.sampled)
    n_hops, n_stable = len(chosen), len(spans)
    if min(n_hops, n_stable) < MIN_PER_CLASS:
        few = "hops" if n_hops <= n_stable else "stable spans"
        counts = f"{n_hops} hops ({len(hops)} with rattles and cut ones) and {n_stable} stable spans"
        raise InputError(
            f"found {counts}, too few {few} for a classifier: expected at least {MIN_PER_CLASS} of each; run longer, "
            f"{'hotter' if few == 'hops' else 'colder'} or in a larger cell"
        )
    rng = np.random.default_rng(seed)
    size = min(n_hops, n_stable, max_per_class)
    some_hops = np.sort(rng.choice(chosen, size, replace=False))
    some_spans = np.sort(rng.choice(n_stable, size, replace=False))
    return Samples(
        frames=np.concatenate([hops.starts[some_hops] - 1, spans.centres[some_spans]]),
        ions=np.concatenate([hops.ions[some_hops], spans.ions[some_spans]]),
        hops=np.repeat([True, False], size),
    )


def make_folds(samples: Samples, split: Split, n_folds: int, guard: int, seed: int) -> list[Fold]:
    """Return the folds of a cross-validation that cannot leak.

    Parameters
    ----------
    samples
        Of both classes.
    split
        ``ions``: no ion is on both sides. ``time``: consecutive blocks of frames, and samples within ``guard`` frames
        of the tested block are not learned from. ``both``: neither ions nor frames are shared, with as few groups of
        each as make at least ``n_folds`` folds.
    n_folds
        Number of folds.
    guard
        Frames.
    seed
        Of the grouping of ions.

    Raises
    ------
    InputError
        When there are too few ions for the folds, or a fold to learn from would hold one class only.
    """
    n_groups = int(np.ceil(np.sqrt(n_folds))) if split is Split.BOTH else n_folds
    by_ion = _ion_groups(samples, n_groups, seed) if split is not Split.TIME else np.zeros(len(samples), np.int64)
    edges = np.quantile(samples.frames, np.linspace(0, 1, n_groups + 1)) if split is not Split.IONS else np.empty(0)
    folds = [
        Fold(np.flatnonzero(train), np.flatnonzero(test))
        for train, test in _sides(samples, by_ion, edges, n_groups, guard)
        if test.any()
    ]
    for fold in folds:
        learned = samples.hops[fold.train]
        if min(learned.sum(), (~learned).sum()) < 2:
            raise InputError(
                f"a fold split by {split} has {int(learned.sum())} hops and {int((~learned).sum())} stable samples to "
                f"learn from, expected at least 2 of each; use fewer than {n_folds} folds or a longer run"
            )
    return folds


def _sides(
    samples: Samples, by_ion: NDArray[np.int64], edges: NDArray[np.float64], n_groups: int, guard: int
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield which samples are learned from and which are tested on, for each pair of ion group and time block."""
    frames = samples.frames
    for group in range(int(by_ion.max()) + 1):
        mine = by_ion == group
        others = ~mine if by_ion.max() else np.ones(len(samples), np.bool_)
        if not len(edges):
            yield others, mine
            continue
        for block in range(n_groups):
            low, high = edges[block], edges[block + 1]
            inside = (frames >= low) & ((frames < high) | (block == n_groups - 1))
            yield others & ((frames < low - guard) | (frames > high + guard)), mine & inside


def _ion_groups(samples: Samples, n_groups: int, seed: int) -> NDArray[np.int64]:
    """Return the group of each sample's ion; groups are random and hold nearly as many samples of each class."""
    ions, rows = np.unique(samples.ions, return_inverse=True)
    if len(ions) < 2 * n_groups:
        raise InputError(f"found samples of {len(ions)} ions, expected at least {2 * n_groups} for {n_groups} groups")
    counts = np.stack([np.bincount(rows, chosen, len(ions)) for chosen in (samples.hops, ~samples.hops)], axis=1)
    shares = counts / np.maximum(counts.sum(axis=0), 1.0)
    order = np.random.default_rng(seed).permutation(len(ions))
    order = order[np.argsort(-shares[order].sum(axis=1), kind="stable")]
    groups, loads = np.empty(len(ions), np.int64), np.zeros((n_groups, 2))
    for place in order:
        # the group whose squared loads grow least: an ion of many hops joins one of few hops
        groups[place] = lightest = int(np.argmin((2 * loads + shares[place]) @ shares[place]))
        loads[lightest] += shares[place]
    return groups[rows]
