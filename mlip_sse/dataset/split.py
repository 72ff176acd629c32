"""Split by trajectory, never between neighbouring frames, which are near copies of each other."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.errors import InputError

__all__ = ["Split", "split_by_group", "split_by_time"]

_SUBSETS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of frames and, in words, how they were drawn.

    Parameters
    ----------
    train, validation, test
        The frames.
    statement
        How, with seed and counts, for the card.
    """

    train: tuple[LabelledFrame, ...]
    validation: tuple[LabelledFrame, ...]
    test: tuple[LabelledFrame, ...]
    statement: str

    def to_dict(self) -> dict[str, Any]:
        """Return the ids of each set, and the statement."""
        ids = {name: [frame.id for frame in getattr(self, name)] for name in _SUBSETS}
        return {"statement": self.statement, **ids}


def split_by_group(frames: Iterable[LabelledFrame], validation: float = 0.1, test: float = 0.1, *, seed: int) -> Split:
    """Give whole trajectories to training, validation and test.

    The groups are drawn in a random order, each going to the set that lacks most of its share.

    Parameters
    ----------
    frames
        The frames; their groups decide.
    validation, test
        Shares of the frames, in [0, 1); 0 for none. Whole groups meet a share only roughly.
    seed
        Of the random order.

    Raises
    ------
    InputError
        When there are fewer groups than sets.
    """
    shares = _shares(validation, test)
    by_group: dict[str, list[LabelledFrame]] = defaultdict(list)
    for frame in frames:
        by_group[frame.group].append(frame)
    wanted = [name for name in _SUBSETS if shares[name] > 0]
    if len(by_group) < len(wanted):
        raise InputError(
            f"found {len(by_group)} group(s), expected at least {len(wanted)} for {', '.join(wanted)}: name the "
            "trajectories at import, or split_by_time"
        )
    names = sorted(by_group)
    order = [names[at] for at in np.random.default_rng(seed).permutation(len(names))]
    total = sum(len(members) for members in by_group.values())
    chosen: dict[str, list[str]] = {name: [] for name in wanted}
    counts = dict.fromkeys(wanted, 0)
    for left, group in zip(range(len(order), 0, -1), order, strict=True):
        empty = [name for name in wanted if not chosen[name]]
        # The last groups belong to sets that are still empty; before, the largest relative deficit decides.
        candidates = empty if len(empty) >= left else wanted
        best = max(candidates, key=lambda name: shares[name] - counts[name] / total)
        chosen[best].append(group)
        counts[best] += len(by_group[group])
    sets = {name: tuple(f for group in sorted(chosen.get(name, [])) for f in by_group[group]) for name in _SUBSETS}
    parts = [f"{len(chosen[name])} ({counts[name]} frames) for {name}" for name in wanted]
    return Split(**sets, statement=f"by trajectory, seed {seed}: of {len(order)} groups {', '.join(parts)}")


def split_by_time(
    frames: Iterable[LabelledFrame], validation: float = 0.1, test: float = 0.1, *, n_gap: int = 0
) -> Split:
    """Cut each trajectory in time: first part training, then validation, the last part test.

    Parameters
    ----------
    frames
        The frames; ``place`` orders them within their group.
    validation, test
        Shares of each trajectory, in [0, 1).
    n_gap
        Frames dropped at each cut, because neighbours in time are alike: as many as the correlation lasts.

    Raises
    ------
    InputError
        When a trajectory is too short for its cuts.
    """
    shares = _shares(validation, test)
    if n_gap < 0:
        raise InputError(f"found n_gap {n_gap}, expected 0 or more frames")
    by_group: dict[str, list[LabelledFrame]] = defaultdict(list)
    for frame in frames:
        by_group[frame.group].append(frame)
    sets: dict[str, list[LabelledFrame]] = {name: [] for name in _SUBSETS}
    wanted = [name for name in _SUBSETS if shares[name] > 0]
    for group, members in sorted(by_group.items()):
        members.sort(key=lambda frame: frame.place)
        start, reached = 0, 0.0
        for name in wanted:
            reached += shares[name]
            end = len(members) if name == wanted[-1] else round(reached * len(members))
            part = members[start + (n_gap if name != wanted[0] else 0) : end]
            if not part:
                raise InputError(
                    f"found {len(members)} frames in group {group!r}, too few for {', '.join(wanted)} with a gap of "
                    f"{n_gap}: expected more frames, fewer sets or a smaller gap"
                )
            sets[name] += part
            start = end
    counts = ", ".join(f"{len(sets[name])} for {name}" for name in wanted)
    statement = f"by time within each of {len(by_group)} groups, gap {n_gap} frames: {counts}"
    return Split(**{name: tuple(members) for name, members in sets.items()}, statement=statement)


def _shares(validation: float, test: float) -> Mapping[str, float]:
    for name, share in (("validation", validation), ("test", test)):
        if not (math.isfinite(share) and 0 <= share < 1):
            raise InputError(f"found a {name} share of {share}, expected 0 or more and less than 1")
    if validation + test >= 1:
        raise InputError(f"found shares of {validation} and {test}, expected room left for training")
    return {"train": 1 - validation - test, "validation": validation, "test": test}
