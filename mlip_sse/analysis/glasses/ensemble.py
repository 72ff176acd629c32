"""Several glasses of one composition: how they differ is part of every error.

Model: y_i = μ + u_i + ε_i with var(ε_i) = v_i within a glass and var(u_i) = τ² between glasses. Runs of one length have
about the same v, so that all weigh the same, and

μ = mean of y_i,   var(μ) = s²/k,   s² = Σ (y_i − μ)²/(k − 1),   τ² = max(0, s² − mean of v_i),

with Student's t of k − 1 degrees of freedom. For equal weights this is the interval of Hartung and Knapp
(`mlip_sse.analysis.transport.temperature.pooling`) to the last digit: it holds the errors within, whether they are
known or not. More frames of the same glass do not make it narrower than τ/√k allows.

A share of units that is the same in all glasses, 0 or 1 mostly, has no spread at all. Its interval is therefore not
narrower than Clopper and Pearson's for all centres together.

References
----------
Hartung and Knapp, Stat. Med. 20, 3875 (2001), doi:10.1002/sim.1009.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from mlip_sse.analysis.glasses.bragg import bragg_tests, intensities
from mlip_sse.analysis.glasses.glass_report import GlassCriteria, GlassReport, find_centre, glass_report
from mlip_sse.analysis.results import Interval, Quality, Verdict, to_plain
from mlip_sse.analysis.structure.time_averages import share_interval_of
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["BetweenGlasses", "GlassEnsemble", "between_glasses", "glass_ensemble"]

_FEW_GLASSES = 3


@dataclass(frozen=True)
class BetweenGlasses:
    """A quantity over glasses.

    Parameters
    ----------
    interval
        Mean over the glasses.
    values
        Of each.
    between_sd
        τ, how glasses differ beyond their own errors.
    within_sd
        Root mean square of the glasses' own errors.
    """

    interval: Interval
    values: tuple[float, ...]
    between_sd: float
    within_sd: float


@dataclass(frozen=True, eq=False)
class GlassEnsemble:
    """Glasses of one composition.

    Parameters
    ----------
    reports
        One for each.
    density_g_cm3
        Over the glasses.
    units, intact, homopolar
        Shares of centres in each kind of unit and in intact ones, and of ligands bound to ligands.
    bond, ligand_distance, coordination
        Centre-ligand bond and first peak around the mobile ion in Å, and ligands around it.
    verdict
        Refused where a glass is none, weak with fewer than three.
    """

    reports: tuple[GlassReport, ...]
    density_g_cm3: BetweenGlasses
    units: Mapping[str, BetweenGlasses]
    intact: BetweenGlasses | None
    homopolar: BetweenGlasses | None
    bond: BetweenGlasses | None
    ligand_distance: BetweenGlasses | None
    coordination: BetweenGlasses | None
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        names = ("density_g_cm3", "units", "intact", "homopolar", "bond", "ligand_distance", "coordination", "reports")
        plain = {name: to_plain(getattr(self, name)) for name in names}
        return {**plain, "quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}


def between_glasses(
    values: Sequence[float],
    errors: Sequence[float] | None = None,
    confidence: float = 0.95,
    *,
    share_of: int | None = None,
) -> BetweenGlasses:
    """Return the mean over glasses with its interval.

    Parameters
    ----------
    values
        One for each glass.
    errors
        Standard error of each, from its own run; zero if not given.
    confidence
        Of the interval.
    share_of
        Where the values are shares: centres in all glasses together.

    Raises
    ------
    InputError
        When there are fewer than two values, or not all are finite.
    """
    found = np.asarray(values, dtype=np.float64)
    own = np.zeros(len(found)) if errors is None else np.asarray(errors, dtype=np.float64)
    if len(found) < 2 or found.shape != own.shape or not np.isfinite(found).all():
        raise InputError(
            f"found {len(found)} values and {len(own)} errors, expected a finite value for each of two glasses or more"
        )
    own = np.where(np.isfinite(own), own, 0.0)
    mean, within = float(found.mean()), float(np.mean(own**2))
    k = len(found)
    spread, dof = float(found.var(ddof=1)), k - 1
    method = f"mean over {k} glasses, Student's t of {dof} degrees of freedom"
    half = float(stdtrit(dof, 0.5 * (1.0 + confidence))) * float(np.sqrt(spread / k))
    low, high = mean - half, mean + half
    if share_of is not None:
        binomial = share_interval_of(mean, spread / k, share_of, share_of, confidence, "centres")
        low, high = max(0.0, min(low, binomial.low)), min(1.0, max(high, binomial.high))
        method = f"{method}, at least Clopper-Pearson's of {share_of} atoms"
    between = float(np.sqrt(max(0.0, spread - within)))
    return BetweenGlasses(
        Interval(mean, low, high, confidence, method), tuple(found.tolist()), between, float(np.sqrt(within))
    )


def glass_ensemble(
    trajectories: Sequence["Trajectory"],
    *,
    mobile: str = "Li",
    expected: Mapping[str, float] | None = None,
    quench_rate_k_ps: float | None = None,
    criteria: GlassCriteria | None = None,
    names: Sequence[str] | None = None,
    densities_g_cm3: Sequence[Interval] | None = None,
) -> GlassEnsemble:
    """Look at each glass and at all together.

    Parameters
    ----------
    trajectories
        One for each glass, of the same composition.
    mobile, expected, quench_rate_k_ps, criteria
        As for `glass_report`.
    names
        What the glasses are called in reasons; their numbers if not given.
    densities_g_cm3
        Of each, where they are known better than from the stored cells.

    Raises
    ------
    InputError
        When there is no glass, or their compositions differ.
    """
    if not trajectories:
        raise InputError("found no glass, expected one trajectory or more")
    compositions = [_composition(each) for each in trajectories]
    if any(each != compositions[0] for each in compositions):
        raise InputError(f"found glasses of different compositions {compositions}, expected one")
    try:
        tests = list(bragg_tests([intensities(each) for each in trajectories]))
    except InputError:
        tests = []
    reports = tuple(
        glass_report(
            each,
            mobile=mobile,
            expected=expected,
            quench_rate_k_ps=quench_rate_k_ps,
            criteria=criteria,
            bragg=tests[place] if tests else None,
            density_g_cm3=None if densities_g_cm3 is None else densities_g_cm3[place],
        )
        for place, each in enumerate(trajectories)
    )
    pair = find_centre(trajectories[0].species)
    counts = compositions[0]
    shares = (0, 0) if pair is None else (counts[pair[0]] * len(reports), counts[pair[1]] * len(reports))
    kinds = dict.fromkeys(name for each in reports for name in each.units)
    called = list(names) if names is not None else [f"glass {place + 1}" for place in range(len(reports))]
    return GlassEnsemble(
        reports=reports,
        density_g_cm3=_pooled([each.density_g_cm3 for each in reports], None),
        units={name: _pooled([each.units.get(name, _NONE) for each in reports], shares[0]) for name in kinds},
        intact=_optional([each.intact for each in reports], shares[0]),
        homopolar=_optional([each.homopolar for each in reports], shares[1]),
        bond=_optional([each.bond for each in reports], None),
        ligand_distance=_numbers([None if each.shell is None else each.shell.distance_a for each in reports]),
        coordination=_numbers([None if each.shell is None else each.shell.coordination for each in reports]),
        verdict=_verdict(reports, called),
    )


_NONE = Interval(0.0, 0.0, 0.0, 0.95, "none in this glass")


def _composition(trajectory: "Trajectory") -> dict[str, int]:
    names, counts = np.unique(trajectory.species, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _pooled(intervals: Sequence[Interval], share_of: int | None) -> BetweenGlasses:
    values = [each.value if each.value is not None else np.nan for each in intervals]
    if len(intervals) == 1:
        return BetweenGlasses(intervals[0], (values[0],), float("nan"), _errors(intervals)[0])
    return between_glasses(values, _errors(intervals), share_of=share_of)


def _errors(intervals: Sequence[Interval]) -> list[float]:
    # half of a 95 % interval is about two standard errors, and a little more for the t of a few blocks
    return [(each.high - each.low) / 2.0 / 2.1 for each in intervals]


def _optional(intervals: Sequence[Interval | None], share_of: int | None) -> BetweenGlasses | None:
    there = [each for each in intervals if each is not None and each.value is not None]
    return _pooled(there, share_of) if there and len(there) == len(intervals) else None


def _numbers(values: Sequence[float | None]) -> BetweenGlasses | None:
    there = [each for each in values if each is not None]
    if len(there) < len(values):
        return None
    if len(there) == 1:
        return BetweenGlasses(Interval(there[0], -np.inf, np.inf, 0.95, "one glass"), (there[0],), np.nan, np.nan)
    return between_glasses(there)


def _verdict(reports: Sequence[GlassReport], names: Sequence[str]) -> Verdict:
    """Return the worst of all; a reason that all share is said once."""
    verdict = Verdict()
    reasons = [each.verdict for each in reports]
    for reason in dict.fromkeys(reason for each in reasons for reason in each.reasons):
        whose = [name for name, each in zip(names, reasons, strict=True) if reason in each.reasons]
        text = reason if len(whose) == len(reports) else f"{', '.join(whose)}: {reason}"
        verdict = verdict.weaken(text)
    if any(each.quality is Quality.REFUSED for each in reasons):
        verdict = Verdict(Quality.REFUSED, verdict.reasons)
    if len(reports) < _FEW_GLASSES:
        what = "one glass" if len(reports) == 1 else f"{len(reports)} glasses"
        verdict = verdict.weaken(f"{what}, expected {_FEW_GLASSES} or more: how glasses differ is hardly known")
    return verdict
