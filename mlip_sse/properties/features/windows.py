"""What a short window of molecular dynamics says about the long run: descriptors of the first picoseconds.

From displacements: the early mean squared displacement, the diffusivity that it extrapolates to, its exponent, the
non-Gaussian parameter. From jumps (p_hop): how many, how long, how many of them return; uncorrelated jumps would give
D = Γ a²/6. From neighbours: how long an ion keeps its coordination, which clusters contacts make and what they conduct
(`window_clusters`). From surroundings: softness (`window_softness`). All by the analyzers of `mlip_sse.analysis`.

`CORRECTION_NAMES` are ratios of these, without units: what a model needs to say by how much the diffusivity of the long
run differs from the one that the window extrapolates to.

References
----------
Candelier et al., 10.1103/PhysRevLett.105.135702 (p_hop).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.softness.hop_indicator import choose_thresholds, indicator_of
from mlip_sse.analysis.softness.hops import find_hops
from mlip_sse.analysis.structure.neighbours import neighbour_list
from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.errors import InputError
from mlip_sse.properties.features.window_clusters import cluster_features
from mlip_sse.properties.features.window_extrapolation import early_diffusivity, plain_slope
from mlip_sse.properties.features.window_softness import softness_features

if TYPE_CHECKING:
    from mlip_sse.analysis.softness.classifier import Softness
    from mlip_sse.trajectory.model import Trajectory

__all__ = [
    "CORRECTION_NAMES",
    "DISPLACEMENT_NAMES",
    "JUMP_NAMES",
    "SURROUNDINGS_NAMES",
    "WindowDescription",
    "describe_window",
    "window_features",
]

Floats = npt.NDArray[np.float64]

DISPLACEMENT_NAMES = (
    "early_diffusivity_cm2_s", "early_relative_error", "early_msd_a2", "early_slope_diffusivity_cm2_s",
    "early_exponent", "early_alpha2", "early_moved_fraction", "early_charge_to_tracer",
)  # fmt: skip
JUMP_NAMES = (
    "cage_variance_a2", "jump_length_a", "jump_rate_per_ps", "jump_returns_fraction", "jump_diffusivity_cm2_s",
    "n_jumps", "p_hop_mean_a2", "p_hop_upper_decile_a2",
)  # fmt: skip
SURROUNDINGS_NAMES = ("coordination_lifetime_ps", "coordination_mean", "lone_mobile_fraction", "largest_cluster_share")
CORRECTION_NAMES = (
    "log10_slope_over_early", "log10_short_over_early", "log10_end_over_early", "log10_jump_over_early",
    "log10_n_jumps", "log10_msd_over_cage", "early_relative_error", "early_exponent", "early_alpha2",
    "early_moved_fraction", "jump_returns_fraction",
)  # fmt: skip

_CM2_S_PER_A2_PS = 1e-4
_N_LAGS = 24
_MOST_FRAMES_OF_NEIGHBOURS = 60
_LEAST_RATIO = 0.01


@dataclass(frozen=True)
class WindowDescription:
    """Descriptors by names that carry their unit, nan where there is none; why, for those that need saying."""

    values: Mapping[str, float]
    missing: Mapping[str, str]


def window_features(trajectory: "Trajectory", window_ps: float, mobile: str = "Li", **options: Any) -> dict[str, float]:
    """Return the values of `describe_window`, which has the same arguments."""
    return dict(describe_window(trajectory, window_ps, mobile, **options).values)


def describe_window(
    trajectory: "Trajectory",
    window_ps: float,
    mobile: str = "Li",
    *,
    start_ps: float = 0.0,
    half_window_ps: float | None = None,
    anions: tuple[str, ...] = (),
    contact_a: float = 3.2,
    charges_e: tuple[float, float] = (1.0, -1.0),
    softness: "Softness | Literal['train'] | None" = None,
) -> WindowDescription:
    """Return the descriptors of a window.

    Parameters
    ----------
    trajectory
        Of any length, in the reference frame of its framework; only frames from ``start_ps`` on, for ``window_ps``,
        are looked at.
    window_ps
        Length of the window.
    mobile
        The mobile element.
    half_window_ps
        Of p_hop; by default a fortieth of the window, and at least five frames.
    anions
        Elements around which the mobile ions are coordinated; without them coordination and clusters are left out.
    contact_a
        Longest contact with them in Å.
    charges_e
        Of a mobile ion and of one atom of the anions, for the conductivity by clusters.
    softness
        A trained classifier, or ``train`` to train one on the window; without it softness is left out.

    Raises
    ------
    InputError
        When the trajectory is shorter than the window, or the window has fewer than 40 frames.
    """
    window = _window(trajectory, start_ps, window_ps)
    ions = window.indices(mobile)
    coordinates = np.concatenate(list(window.ion_blocks(ions, dtype=np.float64)))
    spacing_ps = window.frame_spacing_fs / 1000.0
    values = _displacements(coordinates, spacing_ps)
    half = half_window_ps if half_window_ps is not None else max(5 * spacing_ps, window_ps / 40.0)
    values |= _jumps(window, ions, coordinates, half)
    values |= _ratios(coordinates, spacing_ps, values)
    missing: dict[str, str] = {}
    if anions:
        others = window.indices(anions)
        values |= _surroundings(window, ions, others, contact_a)
        clusters, why = cluster_features(window, ions, others, contact_a, charges_e)
        values, missing = values | clusters, missing | why
    if softness is not None:
        soft, why = softness_features(window, ions, mobile, half, softness)
        values, missing = values | soft, missing | why
    return WindowDescription(values, missing)


def _ratios(coordinates: Floats, spacing_ps: float, values: Mapping[str, float]) -> dict[str, float]:
    """Return what other estimates say relative to the extrapolated diffusivity, and how much motion there was."""
    n_frames, early = coordinates.shape[2], np.float64(values["early_diffusivity_cm2_s"])
    lags = np.unique(np.geomspace(max(n_frames // 40, 1), max(n_frames // 10, 3), 12).astype(np.int64))
    msd = displacement_moments(coordinates, lags).msd
    short = float(np.polyfit(lags * spacing_ps, msd, 1)[0]) / 6.0 * _CM2_S_PER_A2_PS
    end = values["early_msd_a2"] / ((n_frames // 2) * spacing_ps) / 6.0 * _CM2_S_PER_A2_PS
    plain = plain_slope(coordinates, spacing_ps).value
    found = {"slope": plain, "short": short, "end": end, "jump": values["jump_diffusivity_cm2_s"]}
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {f"log10_{k}_over_early": float(np.log10(max(v / early, _LEAST_RATIO))) for k, v in found.items()}
        over_cage = float(np.log10(np.divide(values["early_msd_a2"], values["cage_variance_a2"])))
    return ratios | {"log10_n_jumps": float(np.log10(max(values["n_jumps"], 0.5))), "log10_msd_over_cage": over_cage}


def _window(trajectory: "Trajectory", start_ps: float, window_ps: float) -> "Trajectory":
    spacing_ps = trajectory.frame_spacing_fs / 1000.0
    first, n_frames = round(start_ps / spacing_ps), round(window_ps / spacing_ps) + 1
    if n_frames < 40:
        raise InputError(
            f"found {n_frames} frames of {1000 * spacing_ps:g} fs in a window of {window_ps:g} ps, expected at least 40"
        )
    if first < 0 or first + n_frames > trajectory.n_frames:
        raise InputError(
            f"found {trajectory.n_frames} frames, expected {first + n_frames} for a window of {window_ps:g} ps from "
            f"{start_ps:g} ps on: run longer or ask for a shorter window"
        )
    return trajectory.window(first, first + n_frames)


def _displacements(coordinates: Floats, spacing_ps: float) -> dict[str, float]:
    n_frames = coordinates.shape[2]
    lags = np.unique(np.geomspace(1, n_frames // 2, _N_LAGS).astype(np.int64))
    moments = displacement_moments(coordinates, lags)
    msd, times = moments.msd, lags * spacing_ps
    late = lags >= n_frames // 10
    slope = float(np.polyfit(times[late], msd[late], 1)[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.polyfit(np.log(times[late]), np.log(msd[late]), 1)[0] if (msd[late] > 0).all() else np.nan
        cubes = np.linalg.norm(
            coordinates[:, :, -n_frames // 8 :].mean(2) - coordinates[:, :, : n_frames // 8].mean(2), axis=1
        )
    together = coordinates.sum(axis=0)
    lag = int(lags[-1])
    charge = float(((together[:, lag:] - together[:, :-lag]) ** 2).sum(axis=0).mean()) / len(coordinates)
    early = early_diffusivity(coordinates, spacing_ps)
    return dict(
        zip(
            DISPLACEMENT_NAMES,
            (
                early.value, early.relative_error, float(msd[-1]), slope / 6.0 * _CM2_S_PER_A2_PS,
                float(exponent), float(moments.alpha2[-1]),
                float((cubes > 1.0).mean()), charge / float(msd[-1]) if msd[-1] > 0 else np.nan,
            ),
            strict=True,
        )
    )  # fmt: skip


def _jumps(window: "Trajectory", ions: npt.NDArray[np.intp], coordinates: Floats, half_ps: float) -> dict[str, float]:
    indicator = indicator_of(window, ions, half_ps)
    try:
        thresholds = choose_thresholds(indicator)
    except InputError:  # ions that stand still have no thresholds, and no jumps
        return dict.fromkeys(JUMP_NAMES, np.nan) | {
            "n_jumps": 0.0,
            "jump_rate_per_ps": 0.0,
            "jump_diffusivity_cm2_s": 0.0,
        }
    hops = find_hops(indicator, thresholds, coordinates, coordinates.shape[2])
    n_jumps, duration_ps = len(hops), window.duration_fs / 1000.0
    lasting = ~hops.rattling
    rate = n_jumps / (len(ions) * duration_ps)
    squares = float((hops.shifts[lasting] ** 2).sum()) / (len(ions) * duration_ps)
    values = (
        thresholds.cage_variance, float(np.sqrt(np.mean(hops.shifts**2))) if n_jumps else np.nan, rate,
        float(hops.rattling.mean()) if n_jumps else np.nan, squares / 6.0 * _CM2_S_PER_A2_PS, float(n_jumps),
        float(indicator.values.mean()), float(np.quantile(indicator.values, 0.9)),
    )  # fmt: skip
    return dict(zip(JUMP_NAMES, values, strict=True))


def _surroundings(
    window: "Trajectory", ions: npt.NDArray[np.intp], others: npt.NDArray[np.intp], contact_a: float
) -> dict[str, float]:
    """Return how long contacts last, how many there are, and how contacts join the mobile ions to clusters."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    frames = np.unique(np.linspace(0, window.n_frames - 1, _MOST_FRAMES_OF_NEIGHBOURS).astype(int))
    contacts, counts, lone, largest = [], [], [], []
    for frame in frames:
        near = neighbour_list(window.positions[frame], window.cells[frame], contact_a, centres=ions, others=others)
        seconds = np.searchsorted(others, near.indices)
        contacts.append(set(zip(near.centres.tolist(), seconds.tolist(), strict=True)))
        counts.append(len(near.indices) / len(ions))
        lone.append(float((near.counts == 0).mean()))
        n_all = len(ions) + len(others)
        graph = coo_matrix((np.ones(len(seconds)), (near.centres, len(ions) + seconds)), shape=(n_all, n_all))
        _, labels = connected_components(graph, directed=False)
        largest.append(float(np.bincount(labels[: len(ions)]).max()) / len(ions))
    kept = np.array([len(contacts[0] & later) / max(len(contacts[0]), 1) for later in contacts])
    times = frames * window.frame_spacing_fs / 1000.0
    below = np.flatnonzero(kept < np.exp(-1.0))
    # a contact that outlives the window is given the lifetime that an exponential through the last frame would have
    lifetime = times[below[0]] if len(below) else times[-1] / max(-np.log(max(kept[-1], 1e-12)), 1e-3)
    values = (float(lifetime), float(np.mean(counts)), float(np.mean(lone)), float(np.mean(largest)))
    return dict(zip(SURROUNDINGS_NAMES, values, strict=True))
