"""Which points of a pool to measure next: a strategy goes in, indices come out, as the campaign chooses its frames.

The interface is that of `mlip_sse.campaign.selection.select_frames`: a pool of features, how many are wanted, a
strategy, a cap on each group, what is known already, indices that come before all others, a seed; back come indices in
the order in which they were chosen. It is mirrored and not imported, since properties do not stand upon campaigns.

References
----------
Jones, Schonlau and Welch, J. Glob. Optim. 13, 455 (1998), 10.1023/A:1008306431147 (expected improvement); Ament et al.,
NeurIPS 36 (2023) (its logarithm); Daulton, Balandat and Bakshy, NeurIPS 33 (2020) (hypervolume, batches); Lloyd, IEEE
Trans. Inf. Theory 28, 129 (1982), 10.1109/TIT.1982.1056489 (the first points).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, did_you_mean
from mlip_sse.properties.optimize.front import pareto_front
from mlip_sse.properties.optimize.surrogates import LEAST_TO_JUDGE, Source, Surrogate, fit_surrogate

__all__ = ["STRATEGIES", "Known", "Pool", "first_points", "fit_surrogates", "improvements", "select_points"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

STRATEGIES = ("improvement", "uncertainty", "random")

_N_SAMPLES = 128
_N_PROBES, _N_STARTS, _N_LLOYD = 512, 4, 20


@dataclass(frozen=True, eq=False)
class Pool:
    """The points to choose from.

    Parameters
    ----------
    features
        (n_points, n_features): near each other for points that are alike.
    groups
        (n_points,) whole numbers; at most ``per_group`` of each are chosen.
    """

    features: Floats
    groups: Index

    def __post_init__(self) -> None:
        if np.ndim(self.features) != 2 or not np.isfinite(self.features).all() or not len(self.features):
            raise InputError(
                f"found features of shape {np.shape(self.features)}, expected finite numbers, (n_points, n_features)"
            )
        if np.shape(self.groups) != (len(self.features),):
            raise InputError(f"found groups of shape {np.shape(self.groups)}, expected ({len(self.features)},)")
        if len(self.features) > 1 and np.all(np.ptp(self.features, axis=0) == 0):
            raise InputError(f"no feature varies over the {len(self.features)} points, expected two different ones")

    def __len__(self) -> int:
        return len(self.features)

    @classmethod
    def of(cls, features: npt.ArrayLike) -> "Pool":
        """Return a pool in which each point is a group of its own."""
        found = np.asarray(features, dtype=np.float64)
        return cls(found, np.arange(len(found), dtype=np.intp))


@dataclass(frozen=True, eq=False)
class Known:
    """What was measured: features (n_known, n_features) and values (n_known, n_objectives), more being better.

    `pending` are features of points that were asked for and are not measured yet, (n_pending, n_features); `reference`
    is the worst point that counts, (n_objectives,), the worst measured in each objective where left out.
    """

    features: Floats
    values: Floats
    pending: Floats | None = None
    reference: Floats | None = None

    def __len__(self) -> int:
        return len(self.features)


def select_points(
    pool: Pool,
    n: int,
    *,
    strategy: str = "improvement",
    per_group: int = 1,
    known: Known,
    source: Source | None = None,
    first: Sequence[int] = (),
    seed: int,
) -> Index:
    """Choose points to measure.

    Parameters
    ----------
    pool
        The points.
    n
        How many are wanted; fewer are returned where the pool, or the cap, gives no more.
    strategy
        ``improvement``: largest expected improvement, of the hypervolume where there are several objectives;
        ``uncertainty``: where the processes know least; ``random``: uniformly, the control arm.
    per_group
        Most points of one group.
    known
        What was measured, and what is under way. Without three measured points the first ones are spread over the
        pool, weighted by what the source says, where there is one.
    source
        A related task.
    first
        Indices that are taken before all others, as far as ``n`` and the cap allow.
    seed
        Of all that is drawn.

    Returns
    -------
    (n_chosen,) indices, in the order in which they were chosen.

    Raises
    ------
    InputError
        When the strategy is unknown, a number is out of range, or features have another length.
    """
    _check(pool, n, strategy, per_group, known, source)
    chosen: list[int] = []
    _take(np.array(list(first), dtype=np.intp), chosen, pool, n, per_group)
    if strategy == "random":
        return _taken(np.random.default_rng(seed).permutation(len(pool)), chosen, pool, n, per_group)
    if len(known) < LEAST_TO_JUDGE:
        ranked = first_points(pool, n, known, source, seed, chosen)
        return _taken(ranked, chosen, pool, n, per_group)
    surrogates = fit_surrogates(known, source)
    while len(chosen) < n:
        pending = _pending(pool, known, chosen)
        if strategy == "improvement":
            gains = improvements(surrogates, pool.features, known, pending, seed)
        else:
            gains = _uncertainty(surrogates, pool.features, pending)
        before = len(chosen)
        _take(np.argsort(-gains, kind="stable"), chosen, pool, before + 1, per_group)
        if len(chosen) == before:
            break
    return np.array(chosen[:n], dtype=np.intp)


def fit_surrogates(known: Known, source: Source | None = None) -> tuple[Surrogate, ...]:
    """Return a process for each objective, with the source where it helps to predict what was measured."""
    fitted = []
    for at in range(known.values.shape[1]):
        related = (None, None) if source is None else (source.features, source.values[:, at])
        fitted.append(fit_surrogate(known.features, known.values[:, at], *related))
    return tuple(fitted)


def improvements(
    surrogates: Sequence[Surrogate], features: Floats, known: Known, pending: Floats | None = None, seed: int = 0
) -> Floats:
    """Return the logarithm of the expected improvement of each row of features, (n_rows,).

    One objective: E[max(f − f*, 0)], f* the largest posterior mean at a measured point (so that a lucky noise does not
    stand in the way). Several: the expected growth of the hypervolume above the reference, of independent processes.
    With points under way, the improvement over what these will bring, over Sobol samples of the joint posterior.
    """
    import torch

    from mlip_sse.properties.optimize.surrogates import _double

    means = np.column_stack([each.predict(known.features)[0] for each in surrogates])
    with torch.no_grad(), _double():
        acquisition = _acquisition(surrogates, means, known, pending, seed)
        rows = torch.from_numpy(np.asarray(features, dtype=np.float64))[:, None, :]
        parts = [acquisition(part) for part in rows.split(4096)]
    found: Floats = torch.cat(parts).numpy()
    return np.asarray(np.nan_to_num(found, nan=-1e6, neginf=-1e6), dtype=np.float64)


def first_points(
    pool: Pool, n: int, known: Known, source: Source | None, seed: int, chosen: Sequence[int] = ()
) -> Index:
    """Return points to begin with, best first: between the others of the pool or, with a source, good there.

    Without a source the pool is parted among the points, those known or under way included, and each stands in the
    middle of its part; corners, from which a process learns little, are left to the process. With a source a point
    maximises exp of the source's standardised mean (of the sum of its objectives) times the distance.
    """
    rng = np.random.default_rng(seed)
    taken = np.vstack(
        [known.features, *([] if known.pending is None else [known.pending]), pool.features[list(chosen)]]
    )
    wanted = min(n + len(chosen), len(pool))
    if source is None:
        return _covering(pool.features, taken, wanted, rng)
    means = [
        fit_surrogate(source.features, source.values[:, at]).predict(pool.features)[0]
        for at in range(source.values.shape[1])
    ]
    total = sum((each - each.mean()) / (each.std() or 1.0) for each in means)
    # A little noise breaks ties differently for each seed.
    scores = np.exp(np.asarray(total)) * (1.0 + 1e-6 * rng.random(len(pool)))
    distances = np.ones(len(pool)) if not len(taken) else _distances(pool.features, taken).min(axis=1)
    ranked: list[int] = []
    while len(ranked) < wanted:
        place = int(np.argmax(np.where(np.isin(np.arange(len(pool)), ranked), -1.0, scores * distances)))
        apart = np.linalg.norm(pool.features - pool.features[place], axis=1)
        distances = apart if not len(taken) and not ranked else np.minimum(distances, apart)
        ranked.append(place)
    return np.array(ranked, dtype=np.intp)


def _covering(features: Floats, taken: Floats, n: int, rng: np.random.Generator) -> Index:
    """Return n rows of features that, with those taken, leave a small mean squared distance of all rows to the nearest.

    The centres of Lloyd's iteration, those taken held fixed, of the best of some random starts, as many as a process
    needs to begin with, so that points asked for one by one make the design of those asked for together.
    """
    probes = features[rng.permutation(len(features))[:_N_PROBES]]
    n_centres = min(max(n, LEAST_TO_JUDGE - len(taken)), len(features))
    best, least = probes[:0], np.inf
    for _ in range(_N_STARTS):
        centres = features[rng.permutation(len(features))[:n_centres]]
        for _ in range(_N_LLOYD):
            nearest = _distances(probes, np.vstack([centres, taken])).argmin(axis=1)
            own = [probes[nearest == at] for at in range(n_centres)]
            centres = np.array([part.mean(axis=0) if len(part) else centres[at] for at, part in enumerate(own)])
        left = float((_distances(probes, np.vstack([centres, taken])).min(axis=1) ** 2).mean())
        if left < least:
            best, least = centres, left
    ranked: list[int] = []
    for centre in best:
        order = np.argsort(np.linalg.norm(features - centre, axis=1), kind="stable")
        ranked.append(next(int(row) for row in order if int(row) not in ranked))
    return np.array(ranked, dtype=np.intp)


def _distances(first: Floats, second: Floats) -> Floats:
    found: Floats = np.linalg.norm(first[:, None] - second[None], axis=2)
    return found


def _acquisition(
    surrogates: Sequence[Surrogate], means: Floats, known: Known, pending: Floats | None, seed: int
) -> Any:
    """Return BoTorch's acquisition; values are in the units of each process, in which means are turned."""
    import torch
    from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement
    from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
    from botorch.acquisition.multi_objective.monte_carlo import qExpectedHypervolumeImprovement
    from botorch.models import ModelListGP
    from botorch.sampling import SobolQMCNormalSampler
    from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning

    waiting = None if pending is None or not len(pending) else torch.from_numpy(np.array(pending))
    sampler = SobolQMCNormalSampler(torch.Size([_N_SAMPLES]), seed=seed)
    scaled = np.column_stack([(means[:, at] - each.centre) / each.unit for at, each in enumerate(surrogates)])
    if len(surrogates) == 1:
        best, model = float(scaled.max()), surrogates[0].model
        if waiting is None:
            return LogExpectedImprovement(model, best)
        return qLogExpectedImprovement(model, best, sampler=sampler, X_pending=waiting)
    given = known.values.min(axis=0) if known.reference is None else known.reference
    floor = np.array([(given[at] - each.centre) / each.unit for at, each in enumerate(surrogates)])
    front = torch.from_numpy(scaled[pareto_front(scaled)])
    worst = torch.from_numpy(floor)
    model, boxes = ModelListGP(*(each.model for each in surrogates)), FastNondominatedPartitioning(worst, Y=front)
    # A pool needs no gradients, and so not the logarithms that BoTorch compiles a kernel for.
    if waiting is None:
        gain = ExpectedHypervolumeImprovement(model, floor.tolist(), boxes)
    else:
        gain = qExpectedHypervolumeImprovement(model, floor.tolist(), boxes, sampler=sampler, X_pending=waiting)
    return lambda rows: gain(rows).clamp_min(1e-300).log()


def _uncertainty(surrogates: Sequence[Surrogate], features: Floats, pending: Floats | None) -> Floats:
    spread = sum(each.predict(features)[1] / each.unit for each in surrogates)
    found = np.asarray(spread, dtype=np.float64)
    for row in [] if pending is None else pending:
        found = found * np.minimum(np.linalg.norm(features - row, axis=1), 1.0)
    return found


def _pending(pool: Pool, known: Known, chosen: Sequence[int]) -> Floats | None:
    parts = [] if known.pending is None else [known.pending]
    if chosen:
        parts.append(pool.features[list(chosen)])
    return np.vstack(parts) if parts else None


def _taken(ranked: Index, chosen: list[int], pool: Pool, n: int, per_group: int) -> Index:
    _take(ranked, chosen, pool, n, per_group)
    return np.array(chosen, dtype=np.intp)


def _take(ranked: Index, chosen: list[int], pool: Pool, n: int, per_group: int) -> None:
    """Append the first of ``ranked`` that the cap lets through, until there are ``n``."""
    for place in ranked.tolist():
        if len(chosen) >= n:
            return
        alike = sum(int(pool.groups[each] == pool.groups[place]) for each in chosen)
        if place not in chosen and alike < per_group:
            chosen.append(place)


def _check(pool: Pool, n: int, strategy: str, per_group: int, known: Known, source: Source | None) -> None:
    if strategy not in STRATEGIES:
        raise InputError(
            f"found strategy {strategy!r}, expected {', '.join(STRATEGIES)}{did_you_mean(strategy, STRATEGIES)}"
        )
    if n < 0 or per_group < 1:
        raise InputError(f"found n {n} and per_group {per_group}, expected 0 and 1, or more")
    n_features = pool.features.shape[1]
    given = [
        ("known", known.features),
        ("pending", known.pending),
        ("source", None if source is None else source.features),
    ]
    for name, found in given:
        if found is not None and (found.ndim != 2 or found.shape[1] != n_features):
            raise InputError(f"found {name} features of shape {found.shape}, expected (n, {n_features}) as the pool's")
    if known.values.ndim != 2 or len(known.values) != len(known.features):
        raise InputError(f"found {known.values.shape} known values, expected ({len(known.features)}, n_objectives)")
    if source is not None and source.values.shape[1] != known.values.shape[1]:
        raise InputError(
            f"found a source of {source.values.shape[1]} objectives, expected {known.values.shape[1]}, as the target's"
        )
