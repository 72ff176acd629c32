"""Softness of the mobile ions in a window, by a classifier from elsewhere or by one that is trained on the window.

A classifier from elsewhere makes windows comparable: the median softness says how ready the ions are to hop. One that
is trained on the window itself has a scale of its own; what can be compared is how well surroundings tell which ions
hop (AUC on ions that it has not seen), and how far softness spreads. Only radial functions are trained here, which take
few samples; the analysis ``softness`` has the full set and its tests.

References
----------
Cubuk et al., 10.1103/PhysRevLett.114.108001.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.softness.classifier import Softness, fit_planes
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.softness.hop_indicator import choose_thresholds, indicator_of
from mlip_sse.analysis.softness.hops import find_hops
from mlip_sse.analysis.softness.training_set import Split, choose_stable_spans, draw_samples
from mlip_sse.analysis.softness.validation import cross_validate
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["SOFTNESS_NAMES", "softness_features"]

SOFTNESS_NAMES = ("softness_median", "softness_spread", "soft_fraction", "softness_auc")

_PENALTY = 0.1
_MOST_PER_CLASS = 200
_MOST_FRAMES = 20


def softness_features(
    window: "Trajectory",
    ions: npt.NDArray[np.intp],
    mobile: str,
    half_ps: float,
    softness: "Softness | Literal['train']",
) -> tuple[dict[str, float], dict[str, str]]:
    """Return median softness, half of its middle 68 %, the share of ions above 0, and the AUC where it was trained.

    Parameters
    ----------
    window
        In the reference frame of the framework.
    ions : atom indices
    mobile
        Their species.
    half_ps
        Half window of p_hop in ps, for training.
    softness
        A classifier for the same species, or ``train``.
    """
    auc = np.nan
    try:
        if isinstance(softness, Softness):
            chosen, reason = softness, "the softness was given, its AUC is that of its own training"
        else:
            chosen, auc = _trained(window, ions, mobile, half_ps)
            reason = ""
        frames = np.unique(np.linspace(0, window.n_frames - 1, _MOST_FRAMES).astype(np.int64))
        field = chosen.apply(window, frames).values
    except InputError as error:
        return dict.fromkeys(SOFTNESS_NAMES, np.nan), dict.fromkeys(SOFTNESS_NAMES, str(error))
    values = dict(zip(SOFTNESS_NAMES, (*_middle(field), float((field > 0).mean()), auc), strict=True))
    return values, {"softness_auc": reason} if np.isnan(auc) else {}


def _middle(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return median and half the distance of the 16 % and 84 % quantiles: few samples leave wild values."""
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
    return float(middle), float(high - low) / 2.0


def _trained(window: "Trajectory", ions: npt.NDArray[np.intp], mobile: str, half_ps: float) -> tuple[Softness, float]:
    """Return a softness fitted to the hops and rests of the window, and its AUC on ions it has not seen."""
    species = tuple(sorted({str(symbol) for symbol in window.species}))
    functions = StructureFunctions(species, angular_ranges=())
    indicator = indicator_of(window, ions, half_ps)
    thresholds = choose_thresholds(indicator)
    coordinates = np.concatenate(list(window.ion_blocks(ions, dtype=np.float64)))
    hops = find_hops(indicator, thresholds, coordinates, 4 * indicator.half)
    spans = choose_stable_spans(indicator, thresholds, hops, int(hops.sampled.sum()))
    samples = draw_samples(hops, spans, _MOST_PER_CLASS, seed=0)
    values = functions.evaluate(window, samples.frames, ions[samples.ions])
    tested = cross_validate(
        [(values, samples)], Split.IONS, n_folds=4, guard=2 * indicator.half, confidence=0.95, seed=0,
        penalties=(_PENALTY,),
    )  # fmt: skip
    plane = fit_planes(values, samples.hops, [_PENALTY])[0]
    stable_ps = spans.length * window.frame_spacing_fs / 1000.0
    made = Softness((mobile,), functions, plane, thresholds, half_ps, stable_ps, {"n_per_class": samples.n_per_class})
    return made, float(np.nan if tested.auc.value is None else tested.auc.value)
