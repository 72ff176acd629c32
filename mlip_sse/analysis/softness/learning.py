"""Learning a softness from the hops of a trajectory, or testing one that was learned elsewhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.softness.auc import FoldScores, auc_interval
from mlip_sse.analysis.softness.classifier import Plane, Softness, fit_planes
from mlip_sse.analysis.softness.survey import Survey
from mlip_sse.analysis.softness.training_set import Samples, Split, make_folds
from mlip_sse.analysis.softness.validation import Validation, choose_penalty, cross_validate, shuffle_control

__all__ = ["Draw", "Learned", "judge_learned", "learn_plane", "validate_plane"]

Draw = tuple[NDArray[np.float32], Samples]
"""Features (n_samples, n_functions) of samples."""

_GOOD_CLASS = 200
_SAME_AUC = 0.02


@dataclass(frozen=True, eq=False)
class Learned:
    """A plane and what tests of it say.

    Parameters
    ----------
    plane
        Learned from all samples of the first draw.
    n_per_class
        Their number in each class.
    scores
        Of samples by classifiers that have not seen them, neither their ion nor their time.
    auc, accuracy
        Of these scores.
    validations
        By split; empty for a plane that was learned elsewhere.
    shuffled_auc
        AUC of labels that mean nothing.
    unseen
        Planes that have not seen the ions of one group, and for each ion which one; where there are none, the plane
        itself comes from elsewhere.
    """

    plane: Plane
    n_per_class: int
    scores: FoldScores
    auc: Interval
    accuracy: float
    validations: Mapping[Split, Validation] = field(default_factory=dict)
    shuffled_auc: Interval | None = None
    unseen: tuple[tuple[Plane, ...], NDArray[np.int64]] | None = None

    def survey_softness(self, survey: Survey) -> NDArray[np.float64]:
        """Return the softness of surveyed ions (n_frames, n_ions), by planes that were not fitted to them."""
        shape = survey.now.shape
        if self.unseen is None:
            return self.plane.distances(survey.features).reshape(shape)
        planes, of_ion = self.unseen
        values = np.stack([plane.distances(survey.features).reshape(shape) for plane in planes])
        chosen: NDArray[np.float64] = np.take_along_axis(values, of_ion[None, None, :], axis=0)[0]
        return chosen


def learn_plane(
    draws: Sequence[Draw],
    n_ions: int,
    *,
    n_folds: int,
    guard: int,
    n_shuffles: int,
    confidence: float,
    seed: int,
) -> Learned:
    """Fit a plane to the first draw, and test the whole procedure on all draws.

    Parameters
    ----------
    draws
        Samples drawn several times, with their features.
    n_ions
        Mobile ions in the trajectory.
    guard
        Frames between samples that are learned from and those that are tested, where time is split.
    """
    options = {"n_folds": n_folds, "guard": guard, "confidence": confidence, "seed": seed}
    validations = {split: cross_validate(draws, split, **options) for split in Split}  # type: ignore[arg-type]
    features, samples = draws[0]
    penalty = choose_penalty(features, samples, Split.IONS, guard=guard, seed=seed)
    strict = validations[Split.BOTH]
    usual = float(np.median([plane.penalty for planes in strict.planes for plane in planes]))
    shuffled = shuffle_control(
        features, samples, Split.IONS, n_shuffles=n_shuffles, n_folds=n_folds, guard=guard, penalty=usual,
        confidence=confidence, seed=seed,
    )  # fmt: skip
    folds = make_folds(samples, Split.IONS, n_folds, guard, seed)
    of_ion = np.arange(n_ions, dtype=np.int64) % len(folds)  # an ion without samples is unseen by all of them
    for k, fold in enumerate(folds):
        of_ion[samples.ions[fold.test]] = k
    return Learned(
        plane=fit_planes(features, samples.hops, [penalty])[0],
        n_per_class=samples.n_per_class,
        scores=strict.scores,
        auc=strict.auc,
        accuracy=strict.accuracy,
        validations=validations,
        shuffled_auc=shuffled,
        unseen=(validations[Split.IONS].planes[0], of_ion),
    )


def validate_plane(softness: Softness, draw: Draw, confidence: float, seed: int) -> Learned:
    """Test a softness that was learned elsewhere on the samples of this trajectory."""
    features, samples = draw
    one_fold = np.zeros(len(samples), np.int64)
    scores = FoldScores(softness.plane.distances(features), samples.hops, one_fold, samples.ions)
    auc = auc_interval(scores, confidence, 1000, seed)
    return Learned(softness.plane, samples.n_per_class, scores, auc, scores.accuracy)


def judge_learned(learned: Learned) -> Verdict:
    """Say what is wrong with a classifier, with the numbers that show it."""
    verdict, auc, shuffled = Verdict(), learned.auc, learned.shuffled_auc
    if learned.n_per_class < _GOOD_CLASS:
        verdict = verdict.weaken(f"{learned.n_per_class} samples in each class, fewer than {_GOOD_CLASS}")
    if auc.low <= 0.5:
        verdict = verdict.weaken(
            f"AUC {auc.value or math.nan:.3f} [{auc.low:.3f}, {auc.high:.3f}] is not above 0.5: these surroundings do "
            "not tell which ions hop"
        )
    if shuffled is not None and not shuffled.low <= 0.5 <= shuffled.high:
        verdict = verdict.refuse(
            f"shuffled classes give an AUC of {shuffled.value or math.nan:.3f} [{shuffled.low:.3f}, "
            f"{shuffled.high:.3f}], expected 0.5: samples leak from training to test"
        )
    if learned.validations:
        by_ions, by_time = (learned.validations[split].auc.value or math.nan for split in (Split.IONS, Split.TIME))
        if abs(by_ions - by_time) > _SAME_AUC:
            verdict = verdict.weaken(
                f"AUC is {by_ions:.3f} split by ions and {by_time:.3f} split by time, more than {_SAME_AUC:g} apart"
            )
    return verdict
