"""The softness of one trajectory: hops, training set, classifier and its tests, what softness goes with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Quality, Verdict
from mlip_sse.analysis.softness.chemistry import (
    LocalSoftness,
    by_coordination,
    by_nearest,
    coordination_correlation,
    look_around,
)
from mlip_sse.analysis.softness.classifier import Softness
from mlip_sse.analysis.softness.correlation_length import SpatialCorrelation, spatial_correlation
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.softness.hop_indicator import HopIndicator, Thresholds, choose_thresholds, indicator_of
from mlip_sse.analysis.softness.hop_probability import BinnedHops, HopWindows, bin_hops, probabilities, softness_edges
from mlip_sse.analysis.softness.hops import Hops, StableSpans, find_hops, judge_storage
from mlip_sse.analysis.softness.learning import Draw, Learned, judge_learned, learn_plane, validate_plane
from mlip_sse.analysis.softness.survey import Survey, take_survey
from mlip_sse.analysis.softness.training_set import choose_stable_spans, draw_samples
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Mobility", "SoftnessAnalysis", "SoftnessResult"]

_ENOUGH_STABLE = 200
_MANY_SAMPLES = 1500
"""Samples of each class are drawn anew until there are as many in all, at most six times."""
_MOST_DRAWS = 6

_N_RANGES = 6


@dataclass(frozen=True, eq=False)
class Mobility:
    """What moves and what rests in a trajectory."""

    indicator: HopIndicator
    thresholds: Thresholds
    hops: Hops
    stable: StableSpans
    verdict: Verdict

    @property
    def stable_ps(self) -> float:
        """Length of a stable span in ps."""
        return self.stable.length * self.indicator.frame_spacing_fs / 1000.0


@dataclass(frozen=True, eq=False)
class SoftnessResult:
    """What one trajectory says about softness.

    Parameters
    ----------
    temperature_k
        K where it is known.
    softness
        The classifier: fitted here, or the one that was given.
    mobility
        Hops and rests.
    learned
        The tests of the classifier; ``learned.auc`` is the strictest one, by ions and time at once.
    draw
        Samples of both classes with their structure functions.
    survey, survey_softness
        All ions at evenly spaced frames, and their softness (n_frames, n_ions) by classifiers that have not seen them.
    binned, edges, probability
        Windows by range of softness, the edges (n_ranges + 1,) and P_R in each range.
    local, coordination
        Softness by surroundings, and its correlation with coordination numbers.
    correlation
        In space.
    verdict
        Quality and reasons.
    """

    temperature_k: float | None
    softness: Softness
    mobility: Mobility
    learned: Learned
    draw: Draw
    survey: Survey
    survey_softness: NDArray[np.float64]
    binned: BinnedHops
    edges: NDArray[np.float64]
    probability: Sequence[Interval | None]
    local: Sequence[LocalSoftness]
    coordination: Mapping[str, Interval]
    correlation: SpatialCorrelation
    verdict: Verdict

    def windows(self, softness: Softness) -> HopWindows:
        """Return the windows of the survey by some softness and its thresholds.

        By the result's own softness, values are those of classifiers that have not seen the ion.
        """
        values = self.survey_softness
        if softness is not self.softness:
            values = softness.plane.distances(self.survey.features).reshape(values.shape)
        return _windows(self.survey, softness.thresholds, values, self.temperature_k)


@dataclass(frozen=True)
class SoftnessAnalysis:
    """Settings of an analysis of softness.

    Parameters
    ----------
    mobile
        Species whose hops are learned.
    half_window_ps
        t_R/2: at least five vibrations, at most a third of the residence time.
    jump_length, hop_threshold
        a in Å and p_c in Å², where they are not to be chosen from the data.
    stable_ps
        Length of stable spans; None for the longest of 3, 2, 1 residence times that leaves enough of them.
    average_ps, angular
        Of the structure functions: averaging in time, and whether there are angular ones.
    max_samples, n_folds, n_shuffles, n_windows
        Largest size of a class, folds, shuffles of the control, windows for P_R.
    coordination_cutoff
        Å.
    confidence, seed
        Of intervals; of everything that is drawn.
    softness
        A fitted softness to be applied instead of learning one; its own settings of hops and functions are used, but
        for the length of stable spans, which goes with the residence time.
    """

    mobile: tuple[str, ...] = ("Li",)
    half_window_ps: float = 0.5
    jump_length: float | None = None
    hop_threshold: float | None = None
    stable_ps: float | None = None
    average_ps: float = 0.2
    angular: bool = True
    max_samples: int = 5000
    n_folds: int = 5
    n_shuffles: int = 10
    n_windows: int = 20_000
    coordination_cutoff: float = 3.2
    confidence: float = 0.95
    seed: int = 0
    softness: Softness | None = None

    def run(self, trajectory: "Trajectory", atom_labels: Sequence[str] | None = None) -> SoftnessResult:
        """Analyse a trajectory, which should be in the reference frame of its framework.

        Parameters
        ----------
        atom_labels : one for each atom
            Unit types, for softness by nearest unit; species of the immobile atoms by default, empty for none.

        Raises
        ------
        InputError
            When frames are too coarse, ions never move, or hops or stable spans are too few; the message has the
            numbers.
        """
        functions = self.softness.functions if self.softness else self._functions(trajectory)
        functions.kinds(trajectory)
        mobility = self.find_mobility(trajectory)
        draws = self._draw(trajectory, functions, mobility)
        learned = self._learn(draws, mobility)
        softness = self.softness or self._fitted(trajectory, functions, mobility, learned)
        survey = take_survey(trajectory, mobility.indicator, functions, self.n_windows)
        values = learned.survey_softness(survey)
        windows = _windows(survey, softness.thresholds, values, trajectory.temperature_k)
        edges = softness_edges([windows], _N_RANGES)
        binned = bin_hops(windows, edges)
        labels = _species_labels(trajectory, self.mobile) if atom_labels is None else list(atom_labels)
        around = look_around(trajectory, functions, survey.frames, survey.ions, labels, self.coordination_cutoff)
        verdict = _together(mobility.verdict, judge_learned(learned), _judge_features(softness, survey))
        return SoftnessResult(
            temperature_k=trajectory.temperature_k,
            softness=softness,
            mobility=mobility,
            learned=learned,
            draw=draws[0],
            survey=survey,
            survey_softness=values,
            binned=binned,
            edges=edges,
            probability=probabilities(binned, self.confidence, self.seed),
            local=by_nearest(around, values, self.confidence) + by_coordination(around, values, self.confidence),
            coordination=coordination_correlation(around, values, self.confidence),
            correlation=spatial_correlation(
                trajectory, functions, survey.frames, survey.ions, values, self.confidence, self.seed
            ),
            verdict=verdict,
        )

    def find_mobility(self, trajectory: "Trajectory") -> Mobility:
        """Find hops and stable spans, and test them against window and spacing."""
        given = self.softness
        ions = np.asarray(trajectory.indices(self.mobile), dtype=np.int64)
        indicator = indicator_of(trajectory, ions, given.half_window_ps if given else self.half_window_ps)
        thresholds = given.thresholds if given else choose_thresholds(indicator, self.jump_length, self.hop_threshold)
        coordinates = np.concatenate(list(trajectory.ion_blocks(ions, dtype=np.float64)))
        hops = find_hops(indicator, thresholds, coordinates, 4 * indicator.half)
        verdict = judge_storage(indicator, hops, thresholds)
        if verdict.quality is Quality.REFUSED:
            raise InputError("; ".join(verdict.reasons))
        wanted = min(int(hops.sampled.sum()), _ENOUGH_STABLE)
        stable = choose_stable_spans(indicator, thresholds, hops, wanted, self.stable_ps)
        return Mobility(indicator, thresholds, hops, stable, verdict)

    def _functions(self, trajectory: "Trajectory") -> StructureFunctions:
        species = tuple(sorted({str(symbol) for symbol in trajectory.species}))
        plain: dict[str, Any] = {} if self.angular else {"angular_ranges": ()}
        return StructureFunctions(species, average_ps=self.average_ps, **plain)

    def _draw(self, trajectory: "Trajectory", functions: StructureFunctions, mobility: Mobility) -> list[Draw]:
        """Draw samples, several times where many hops would be left out or the groups of ions matter."""
        available = min(int(mobility.hops.sampled.sum()), len(mobility.stable))
        n_draws = min(_MOST_DRAWS, math.ceil(_MANY_SAMPLES / max(available, 1)))
        draws: list[Draw] = []
        for k in range(1 if self.softness else n_draws):
            samples = draw_samples(mobility.hops, mobility.stable, self.max_samples, self.seed + k)
            atoms = mobility.indicator.ions[samples.ions]
            draws.append((functions.evaluate(trajectory, samples.frames, atoms), samples))
        return draws

    def _learn(self, draws: Sequence[Draw], mobility: Mobility) -> Learned:
        if self.softness is not None:
            return validate_plane(self.softness, draws[0], self.confidence, self.seed)
        return learn_plane(
            draws,
            len(mobility.indicator.ions),
            n_folds=self.n_folds,
            guard=2 * mobility.indicator.half,
            n_shuffles=self.n_shuffles,
            confidence=self.confidence,
            seed=self.seed,
        )

    def _fitted(
        self, trajectory: "Trajectory", functions: StructureFunctions, mobility: Mobility, learned: Learned
    ) -> Softness:
        return Softness(
            mobile=self.mobile,
            functions=functions,
            plane=learned.plane,
            thresholds=mobility.thresholds,
            half_window_ps=self.half_window_ps,
            stable_ps=mobility.stable_ps,
            trained_on={
                "temperature_k": trajectory.temperature_k,
                "n_frames": trajectory.n_frames,
                "frame_spacing_fs": trajectory.frame_spacing_fs,
                "n_per_class": learned.n_per_class,
                "auc": learned.auc.value,
                "seed": self.seed,
                "operations": list(trajectory.provenance.operations),
            },
        )


def _windows(
    survey: Survey, thresholds: Thresholds, softness: NDArray[np.float64], temperature_k: float | None
) -> HopWindows:
    resting = survey.resting(thresholds)
    groups = np.broadcast_to(np.arange(len(survey.ions)), softness.shape)
    return HopWindows(temperature_k, softness[resting], survey.hopping(thresholds)[resting], groups[resting])


def _species_labels(trajectory: "Trajectory", mobile: Sequence[str]) -> list[str]:
    return ["" if str(symbol) in mobile else str(symbol) for symbol in trajectory.species]


def _judge_features(softness: Softness, survey: Survey) -> Verdict:
    unlike = softness.unlike(survey.features)
    if not unlike:
        return Verdict()
    shown = ", ".join(unlike[:3]) + (" …" if len(unlike) > 3 else "")
    return Verdict().weaken(
        f"{len(unlike)} of {len(softness.functions.names)} structure functions ({shown}) lie more than 3 standard "
        "deviations from where the softness was trained"
    )


def _together(*verdicts: Verdict) -> Verdict:
    worst = max((verdict.quality for verdict in verdicts), key=list(Quality).index)
    return Verdict(worst, tuple(reason for verdict in verdicts for reason in verdict.reasons))
