"""Distorted structures among usual ones: four detectors behind one call, with a rate of false alarms that holds.

A detector learns what is usual from one part of the data and gives every sample a score, larger for stranger ones. From
a second part, which it has not seen, comes the threshold: the k-th smallest of its n scores with
k = ⌈(n + 1)(1 − α)⌉. A new sample that is like those of the second part then exceeds the threshold with probability at
most α, whatever the detector and however many features there are (split conformal prediction). On a third part the rate
is measured. Samples of one group (a frame, a block of time) stay in one part, since neighbours in time resemble
each other.

References
----------
Liu, Ting, Zhou, 10.1109/ICDM.2008.17 (isolation forest); Breunig et al., 10.1145/335191.335388 (local outlier factor);
Schölkopf et al., 10.1162/089976601750264965 (one-class SVM); Rousseeuw, Van Driessen, 10.1080/00401706.1999.10485670
(robust covariance); Laxhammar, Falkman, 10.1007/s10472-013-9381-7 (conformal anomaly detection).
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.time_averages import share_interval_of
from mlip_sse.errors import InputError, did_you_mean

__all__ = ["METHODS", "OutlierDetector", "OutlierModel", "Outliers"]

Method = Literal["isolation_forest", "local_outlier_factor", "one_class_svm", "robust_covariance"]
METHODS: tuple[str, ...] = get_args(Method)

_MOST_LEARNT = 5000
_FEWEST_LEARNT = 20
_PARTS = (0.5, 0.25, 0.25)
_FLAT = 1e-9


@dataclass(frozen=True, eq=False)
class Outliers:
    """What a detector says of some samples.

    Parameters
    ----------
    scores : (n,) larger for stranger samples
    p_values : (n,) share of usual samples that are as strange, (1 + #{calibration ≥ score}) / (n_calibration + 1)
    strange : (n,) whether the score exceeds the threshold
    """

    scores: NDArray[np.float64]
    p_values: NDArray[np.float64]
    strange: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class OutlierModel:
    """A detector that has learnt and is calibrated.

    Parameters
    ----------
    method
        Which detector.
    threshold
        Score beyond which a sample is strange.
    false_alarm_rate
        The rate that was asked for, and its interval for this calibration: with n samples the rate of future false
        alarms is Beta(n + 1 − k, k) distributed.
    measured_rate
        Rate of false alarms in the third part of the data.
    n_learnt, n_calibration, n_measured
        Sizes of the three parts.
    used : (n_features,) which features vary
    verdict
        Weak where features were constant, or the measured rate contradicts the one that was asked for.
    """

    method: str
    threshold: float
    false_alarm_rate: Interval
    measured_rate: Interval
    n_learnt: int
    n_calibration: int
    n_measured: int
    used: NDArray[np.bool_]
    verdict: Verdict
    _calibration: NDArray[np.float64]
    _pipeline: Any

    def assess(self, features: NDArray[np.floating]) -> Outliers:
        """Return scores, p values and the strange ones among some samples.

        Parameters
        ----------
        features : (n, n_features)
        """
        table = _checked(features)
        if table.shape[1] != len(self.used):
            raise InputError(f"found {table.shape[1]} features, expected {len(self.used)} as in the data learnt from")
        scores = -np.asarray(self._pipeline.score_samples(table[:, self.used]), dtype=np.float64)
        n = len(self._calibration)
        beyond = n - np.searchsorted(self._calibration, scores, side="left")
        p_values: NDArray[np.float64] = (1.0 + beyond) / np.float64(n + 1)
        return Outliers(scores, p_values, scores > self.threshold)


@dataclass(frozen=True)
class OutlierDetector:
    """Settings.

    Parameters
    ----------
    method
        ``isolation_forest``, ``local_outlier_factor``, ``one_class_svm`` or ``robust_covariance``.
    false_alarm_rate
        α, the share of usual samples that may be called strange.
    confidence
        Of the intervals of the rates.
    seed
        Of the division into parts, and of what the detector draws.
    """

    method: Method = "isolation_forest"
    false_alarm_rate: float = 0.05
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            hint = did_you_mean(str(self.method), METHODS)
            raise InputError(f"found method {self.method!r}, expected one of {', '.join(METHODS)}{hint}")
        if not 0 < self.false_alarm_rate < 1:
            raise InputError(f"found a false-alarm rate of {self.false_alarm_rate!r}, expected one between 0 and 1")

    def fit(self, features: NDArray[np.floating], groups: NDArray[np.integer] | None = None) -> OutlierModel:
        """Learn what is usual, calibrate and measure.

        Parameters
        ----------
        features : (n, n_features), usual samples
        groups : (n,), optional
            Samples of equal number resemble each other (a frame, a block of time) and stay together.

        Raises
        ------
        InputError
            When samples are too few for the rate or the detector, no feature varies, or a value is not finite.
        """
        table = _checked(features)
        belongs = np.arange(len(table)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        if belongs.shape != (len(table),):
            raise InputError(f"groups has shape {belongs.shape}, expected ({len(table)},), one for each sample")
        learnt, calibration, measured = self._parts(belongs)
        learnt = learnt[:: -(-len(learnt) // _MOST_LEARNT)]
        self._require_enough(len(learnt), len(calibration), len(table))
        used, verdict = _varying(table[learnt])
        pipeline = self._pipeline(len(learnt), int(used.sum()))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="sklearn.covariance")  # near-singular subsets, which it mends
            pipeline.fit(table[learnt][:, used])
        scores = -np.asarray(pipeline.score_samples(table[calibration][:, used]), dtype=np.float64)
        k = int(np.ceil((len(scores) + 1) * (1.0 - self.false_alarm_rate) - 1e-9))
        threshold = float(np.sort(scores)[k - 1])
        rate = self._rate(-pipeline.score_samples(table[measured][:, used]) > threshold, belongs[measured])
        stated = self._stated_rate(scores > threshold, belongs[calibration], k)
        if rate.low > stated.high or rate.high < stated.low:
            verdict = verdict.weaken(
                f"false alarms were {rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}] of the samples kept aside, "
                f"asked for was {self.false_alarm_rate:.1%}: the samples are not alike, give groups or longer ones"
            )
        sizes = len(learnt), len(calibration), len(measured)
        return OutlierModel(self.method, threshold, stated, rate, *sizes, used, verdict, np.sort(scores), pipeline)

    def _parts(self, belongs: NDArray[np.integer]) -> tuple[NDArray[np.intp], ...]:
        n_groups = int(belongs.max()) + 1 if len(belongs) else 0
        order = np.random.default_rng(self.seed).permutation(n_groups)
        cuts = (np.cumsum(_PARTS)[:-1] * n_groups).astype(int)
        return tuple(np.flatnonzero(np.isin(belongs, part)) for part in np.split(order, cuts))

    def _require_enough(self, n_learnt: int, n_calibration: int, n: int) -> None:
        least = int(np.ceil(1.0 / self.false_alarm_rate)) - 1
        if n_calibration < max(least, 1):
            raise InputError(
                f"found {n_calibration} samples to calibrate with (a quarter of {n}), a false-alarm rate of "
                f"{self.false_alarm_rate:g} takes at least {least}; give more samples, or allow more false alarms"
            )
        if n_learnt < _FEWEST_LEARNT:
            raise InputError(
                f"found {n_learnt} samples to learn from (half of {n}), expected at least {_FEWEST_LEARNT}"
            )

    def _pipeline(self, n: int, n_features: int) -> Any:
        from sklearn.covariance import EllipticEnvelope
        from sklearn.decomposition import PCA
        from sklearn.ensemble import IsolationForest
        from sklearn.neighbors import LocalOutlierFactor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import OneClassSVM

        if self.method == "robust_covariance":
            if n < 5 * n_features:
                raise InputError(
                    f"found {n} samples to learn from and {n_features} features, a robust covariance takes five "
                    "samples for each feature; give more samples, fewer features or another method"
                )
            # correlated features leave directions without variance, in which a covariance cannot be inverted
            reduce = PCA(n_components=1.0 - 1e-6, svd_solver="full", whiten=True)
            return make_pipeline(StandardScaler(), reduce, EllipticEnvelope(random_state=self.seed))
        detector = {
            "isolation_forest": IsolationForest(n_estimators=200, random_state=self.seed),
            "local_outlier_factor": LocalOutlierFactor(n_neighbors=min(20, n - 1), novelty=True),
            "one_class_svm": OneClassSVM(nu=min(self.false_alarm_rate, 0.5), gamma="scale"),
        }[self.method]
        return make_pipeline(StandardScaler(), detector)

    def _stated_rate(self, beyond: NDArray[np.bool_], belongs: NDArray[np.integer], k: int) -> Interval:
        """Return the Beta(n + 1 − k, k) interval, with fewer samples than there are where groups are alike."""
        n, share = len(beyond), float(beyond.mean())
        between = _variance_between(beyond, belongs)
        effective = min(n, share * (1.0 - share) / between) if between > 0 else n
        rank = (effective + 1.0) * (1.0 - self.false_alarm_rate)
        tail = 0.5 * (1.0 - self.confidence)
        low, high = (float(betaincinv(effective + 1.0 - rank, rank, at)) for at in (tail, 1.0 - tail))
        method = f"split conformal, rank {k} of {n} calibration scores, {effective:.3g} of them independent"
        return Interval(self.false_alarm_rate, low, high, self.confidence, method)

    def _rate(self, alarms: NDArray[np.bool_], belongs: NDArray[np.integer]) -> Interval:
        share, n_groups = float(alarms.mean()), len(np.unique(belongs))
        between = _variance_between(alarms, belongs)
        return share_interval_of(
            share, between, n_groups, len(alarms), self.confidence, f"samples in {n_groups} groups"
        )


def _variance_between(belongs_to_some: NDArray[np.bool_], groups: NDArray[np.integer]) -> float:
    """Return the variance of a share whose samples resemble each other within groups, as that of a ratio."""
    _, places = np.unique(groups, return_inverse=True)
    residuals = np.bincount(places, weights=belongs_to_some - belongs_to_some.mean())
    n_groups = len(residuals)
    return float((residuals**2).sum()) / len(belongs_to_some) ** 2 * n_groups / max(n_groups - 1, 1)


def _checked(features: NDArray[np.floating]) -> NDArray[np.float64]:
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise InputError(f"features has shape {table.shape}, expected (n_samples, n_features), none of them 0")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise InputError(f"feature {column} of sample {row} is {table[row, column]}, expected finite numbers")
    return table


def _varying(table: NDArray[np.float64]) -> tuple[NDArray[np.bool_], Verdict]:
    spread = np.ptp(table, axis=0)
    used: NDArray[np.bool_] = spread > _FLAT * np.maximum(1.0, np.abs(table).max(axis=0))
    if not used.any():
        raise InputError(f"none of the {len(used)} features varies over {len(table)} samples; describe them otherwise")
    verdict = Verdict()
    if not used.all():
        verdict = verdict.weaken(f"{int((~used).sum())} of {len(used)} features are constant and were left out")
    return used, verdict
