"""Which looks of a round are labelled: to train on those that teach most, to judge by random ones of other runs.

One run in four is kept for judging: its looks never train. Neighbouring frames of one trajectory are nearly the same,
so that frames held out beside frames that train would flatter the potential.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.campaign.learning_specs import LearningSpec
from mlip_sse.campaign.seeds import number_from, seed_frames
from mlip_sse.campaign.selection import Pool, frame_scores, held_out_frames, last_looks, select_frames
from mlip_sse.md_protocols.exploration import Looks

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Picker", "Visit", "judging_runs"]

_ONE_IN = 4
_LAST_LOOKS = 2
"""Of a run that broke, these come first: the grade gave little warning of what happened there."""


@dataclass(frozen=True, eq=False)
class Visit:
    """What one run saw: its start, for the species, and its looks."""

    start: "Atoms"
    looks: Looks


@dataclass(frozen=True)
class Picker:
    """Chooses the frames of one round.

    Parameters
    ----------
    spec, starts
        The campaign and its structures.
    number
        Of the round.
    n_left
        Labels that the budget leaves.
    n_further
        Frames that are labelled in any case.
    """

    spec: LearningSpec
    starts: "Sequence[Atoms]"
    number: int
    n_left: int
    n_further: int = 0

    def pick(
        self, exploration: Sequence[Mapping[str, Any]], visits: Sequence[Visit]
    ) -> "tuple[list[Atoms], list[Atoms], dict[str, Any]]":
        """Return the frames to train on, the random ones that never train, and what the round's file says of them.

        Parameters
        ----------
        exploration, visits
            The runs of the round, and what they saw.
        """
        wanted = self.spec.select
        pool, frames = self._pool(exploration, visits)
        if pool is None:
            return self._nothing_seen()
        judged = np.isin(pool.segments, judging_runs(len(visits), self.number))
        n_held = min(wanted.held_out, self.n_left // 3)
        held = np.flatnonzero(judged) if judged.any() else np.arange(len(frames))
        held = held[held_out_frames(pool.taken(held), n_held, taken=(), seed=self._seed("held out"))]
        n_wanted = max(0, min(wanted.frames - self.n_further, self.n_left - len(held)))
        free = np.setdiff1d(np.flatnonzero(~judged), held)
        candidates, last = free, np.empty(0, dtype=np.intp)
        if wanted.strategy == "committee":
            broken = [k for k, segment in enumerate(exploration) if _broke(segment)]
            last = np.intersect1d(last_looks(pool, broken, _LAST_LOOKS), free)
            candidates = np.union1d(_candidates(pool, free, n_wanted), last)
        picked = candidates[
            select_frames(
                pool.taken(candidates),
                min(n_wanted, len(candidates)),
                strategy=wanted.strategy,
                per_segment=wanted.per_segment,
                first=np.flatnonzero(np.isin(candidates, last)).tolist(),
                seed=self._seed("select"),
            )
        ]
        selection = {
            "strategy": wanted.strategy,
            "n_looks": len(frames),
            "n_candidates": len(candidates),
            "n_selected": len(picked),
            "n_held_out": len(held),
            "n_further": self.n_further,
            "spreads_ev_a": [round(score, 4) if np.isfinite(score) else None for score in pool.scores.tolist()],
        }
        return [frames[k] for k in picked], [frames[k] for k in held], selection

    def _seed(self, purpose: str) -> int:
        return number_from(self.spec.seed, self.number, purpose)

    def _nothing_seen(self) -> "tuple[list[Atoms], list[Atoms], dict[str, Any]]":
        """Return new seeds where every run ended at its first look: the potential knows too little to move at all."""
        spec = self.spec.model_copy(update={"seed": self._seed("seeds") % 2**31})
        drawn = [
            each for k, atoms in enumerate(self.starts) for each in seed_frames(spec, atoms, f"round {self.number} {k}")
        ]
        wanted = self.spec.select
        n_held = min(wanted.held_out, self.n_left // 3)
        chosen = drawn[: max(0, min(len(drawn), wanted.frames + wanted.held_out, self.n_left))]
        selection = {"strategy": "seeds", "n_looks": 0, "n_candidates": len(drawn), "n_selected": len(chosen) - n_held}
        held = chosen[:: max(1, len(chosen) // max(1, n_held))][:n_held]
        places = {id(atoms) for atoms in held}
        return [each for each in chosen if id(each) not in places], held, selection | {"n_held_out": len(held)}

    def _pool(
        self, exploration: Sequence[Mapping[str, Any]], visits: Sequence[Visit]
    ) -> "tuple[Pool | None, list[Atoms]]":
        """Return all looks of a round as one pool, and as structures with group and place; None without any."""
        frames: list[Atoms] = []
        scores: list[float] = []
        for segment, visit in zip(exploration, visits, strict=True):
            seen, symbols = visit.looks, visit.start.get_chemical_symbols()
            for place in range(len(seen)):
                atoms = visit.start.copy()
                atoms.set_cell(seen.cells[place])
                atoms.set_positions(seen.positions[place])
                atoms.info = {"group": f"round {self.number} {segment['name']}", "place": place}
                frames.append(atoms)
                scores.append(self._score(seen, place, symbols))
        counts = [len(visit.looks) for visit in visits]
        if not frames:
            return None, []
        told = [(each["looks"], slice(0, n)) for each, n in zip(exploration, counts, strict=True) if n]
        pool = Pool(
            features=np.concatenate([visit.looks.features for visit in visits if len(visit.looks)]),
            scores=np.array(scores),
            excess=np.concatenate([looks["excess"][part] for looks, part in told]),
            segments=np.repeat(np.arange(len(visits)), counts),
            times=np.concatenate([looks["time_ps"][part] for looks, part in told]),
        )
        return pool, frames

    def _score(self, seen: Looks, place: int, symbols: list[str]) -> float:
        """Return the score of a look; NaN where the committee was not asked."""
        spread = seen.forces_std[place]
        if not np.isfinite(spread).all():
            return float("nan")
        if self.spec.mobile not in symbols:  # one side of an interface: every atom counts
            return float(spread.max())
        shell = self.spec.select.shell_a
        return frame_scores(spread, symbols, seen.positions[place], seen.cells[place], self.spec.mobile, shell)


def judging_runs(n_runs: int, number: int) -> list[int]:
    """Return which runs of a round are kept for judging: one in four, each kind of run in turn; none of one."""
    step = min(_ONE_IN, n_runs)
    return [k for k in range(n_runs) if k % step == number % step] if n_runs > 1 else []


def _candidates(pool: Pool, free: NDArray[np.int64], n_wanted: int) -> NDArray[np.int64]:
    """Return the looks above the alarm; where they are few, those with the largest spread beside them."""
    above = free[pool.excess[free] > 1.0]
    rest = np.setdiff1d(free, above)
    n_more = max(0, n_wanted - len(above))
    by_spread = rest[np.argsort(-np.nan_to_num(pool.scores[rest]), kind="stable")][: 4 * n_more]
    found: NDArray[np.int64] = np.sort(np.concatenate([above, by_spread]))
    return found


def _broke(segment: Mapping[str, Any]) -> bool:
    """Return whether the atoms, not the doubt of the potential, ended a run."""
    return segment["ended"] is not None and segment["ended"]["kind"] not in ("grade", "error_bound")
