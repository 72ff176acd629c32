"""Cluster Nernst-Einstein on a trajectory: conductivity and transference number with intervals, or a refusal.

The method belongs to salts in which cations and anions both move. In a single-ion conductor the anions are the
framework: there are no ion pairs that travel together, every cation touches the network, and the result is refused.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import stdtrit

from mlip_sse.analysis.results import Estimate, Interval, Verdict, to_plain
from mlip_sse.analysis.transport.charge.clusters import (
    ClusterPopulations,
    ClusterSums,
    cluster_sums,
    count_clusters,
    ion_rich_rule,
)
from mlip_sse.analysis.transport.charge.salt_ions import SaltIons
from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S, conductivity_ms_cm

__all__ = ["ClusterConductivity", "analyze_clusters", "cluster_conductivity"]

_STANDSTILL = 1e-3
_RULE = (
    "clusters of positive charge diffuse like a cation, of negative charge like an anion, neutral ones carry nothing"
)


@dataclass(frozen=True)
class ClusterConductivity:
    """Conductivity and transference of a salt by clusters, with plain Nernst-Einstein beside it.

    Parameters
    ----------
    conductivity_ms_cm, cation_transference_number
        By clusters; None where refused.
    nernst_einstein_conductivity_ms_cm, nernst_einstein_transference_number
        Of free ions with the same diffusivities.
    populations
        (cations, anions, mean number) of every kind of cluster, none left out.
    charges_e
        z₊ and z₋.
    rule
        Which D_ij was used, in words.
    percolating_fraction
        Fraction of frames with a cluster that meets its own periodic image.
    verdict
        Quality and reasons.
    provenance
        Where the numbers came from.
    """

    conductivity_ms_cm: Interval | None
    cation_transference_number: Interval | None
    nernst_einstein_conductivity_ms_cm: Interval | None
    nernst_einstein_transference_number: float | None
    populations: tuple[tuple[int, int, float], ...]
    charges_e: tuple[float, float]
    rule: str
    percolating_fraction: float
    verdict: Verdict
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def free_cation_fraction(self) -> float | None:
        """Fraction of the cations that touch no anion."""
        total = sum(i * mean for i, _, mean in self.populations)
        free = sum(mean for i, j, mean in self.populations if (i, j) == (1, 0))
        return free / total if total else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python data."""
        plain = {name: to_plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "verdict"}
        plain["free_cation_fraction"] = to_plain(self.free_cation_fraction)
        return {**plain, "quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}


def analyze_clusters(
    trajectory: Trajectory,
    ions: SaltIons,
    cutoff: float,
    cation_diffusivity_cm2_s: Estimate,
    anion_diffusivity_cm2_s: Estimate | None,
    *,
    charges_e: tuple[float, float] = (1.0, -1.0),
    temperature_k: float | None = None,
    stride: int = 1,
    n_blocks: int = 10,
    rule_weights: dict[tuple[int, int], tuple[float, float]] | None = None,
    confidence: float = 0.95,
) -> ClusterConductivity:
    """Count the clusters along a trajectory and turn them into a conductivity.

    Parameters
    ----------
    trajectory
        Any reference frame; only contacts are read from it.
    ions
        From `salt_ions`.
    cutoff
        Longest cation-anion contact in Å: the first minimum of their g(r).
    cation_diffusivity_cm2_s, anion_diffusivity_cm2_s
        Tracer diffusivities; None for an anion that does not diffuse.
    temperature_k
        Taken from the trajectory unless given.
    stride
        Use every n-th frame.
    rule_weights
        D_ij = w₊ D₊ + w₋ D₋ for compositions (i, j) that shall not follow the rule of the paper.
    """
    temperature = trajectory.temperature_k if temperature_k is None else temperature_k
    if temperature is None:
        raise InputError("the trajectory has no temperature, expected temperature_k; a conductivity needs it")
    if stride < 1:
        raise InputError(f"the stride is {stride}, expected at least 1")
    provenance = trajectory.provenance.then(f"clusters: cutoff {cutoff:g} Å, every {stride}. frame, {n_blocks} blocks")
    refusal = _not_a_salt(cation_diffusivity_cm2_s, anion_diffusivity_cm2_s)
    if refusal is not None or anion_diffusivity_cm2_s is None:
        verdict = Verdict().refuse(refusal or "")
        return ClusterConductivity(None, None, None, None, (), charges_e, _RULE, 0.0, verdict, provenance)
    n_frames = len(range(0, trajectory.n_frames, stride))
    populations = count_clusters(
        ions.frames(trajectory, stride), n_frames, ions.cation_of_site, ions.anion_of_site, cutoff, n_blocks
    )
    return cluster_conductivity(
        populations,
        cation_diffusivity_cm2_s,
        anion_diffusivity_cm2_s,
        charges_e=charges_e,
        volume=trajectory.mean_volume,
        temperature_k=temperature,
        rule_weights=rule_weights,
        confidence=confidence,
        provenance=provenance,
    )


def cluster_conductivity(
    populations: ClusterPopulations,
    cation_diffusivity_cm2_s: Estimate,
    anion_diffusivity_cm2_s: Estimate,
    *,
    charges_e: tuple[float, float],
    volume: float,
    temperature_k: float,
    rule_weights: dict[tuple[int, int], tuple[float, float]] | None = None,
    confidence: float = 0.95,
    provenance: Provenance | None = None,
) -> ClusterConductivity:
    """Turn cluster populations into a conductivity; arguments as in `analyze_clusters`, ``volume`` in Å³."""
    z_cation, z_anion = charges_e
    rule = ion_rich_rule(populations.sizes, z_cation, z_anion)
    for k, (i, j) in enumerate(populations.sizes.tolist()):
        rule[k] = (rule_weights or {}).get((i, j), rule[k])
    d = (cation_diffusivity_cm2_s, anion_diffusivity_cm2_s)
    sums = cluster_sums(populations, z_cation, z_anion, (d[0].value, d[1].value), rule)
    unit = conductivity_ms_cm(1.0 / A2_PER_FS_TO_CM2_PER_S, volume, temperature_k)
    free = np.array([populations.n_cations * z_cation**2, populations.n_anions * z_anion**2])
    free_parts = free * np.array([d[0].value, d[1].value])
    nernst_einstein = _estimate(float(free_parts.sum()), math.nan, 1, (float(free[0]), float(free[1])), d)
    percolating = populations.percolating_fraction
    means = populations.means
    return ClusterConductivity(
        _conductivity(sums, d, free_parts.sum() / len(populations.block_frames), confidence).scaled(unit),
        _transference(sums, d, confidence),
        nernst_einstein.interval(confidence).scaled(unit),
        float(free_parts[0] / free_parts.sum()),
        tuple((i, j, float(m)) for (i, j), m in zip(populations.sizes.tolist(), means, strict=True)),
        charges_e,
        _RULE if not rule_weights else f"{_RULE}; but for {sorted(rule_weights)} as given",
        percolating,
        _judge(populations, sums, charges_e),
        provenance or Provenance(),
    )


def _not_a_salt(cation: Estimate, anion: Estimate | None) -> str | None:
    if anion is None:
        return "no anion diffuses: a single-ion conductor has no ion pairs that move; use the collective conductivity"
    if anion.value < _STANDSTILL * cation.value:
        return (
            f"the anion diffuses {anion.value / cation.value:.1g} times as fast as the cation (limit {_STANDSTILL:g}): "
            f"a single-ion conductor has no ion pairs that move; use the collective conductivity"
        )
    return None


def _estimate(
    value: float, block_variance: float, block_dof: int, slopes: tuple[float, float], d: tuple[Estimate, Estimate]
) -> Estimate:
    variance, dof = _combined(block_variance, block_dof, slopes, d)
    return Estimate(value, variance / value**2, dof, "cluster populations over time blocks and both diffusivities")


def _combined(
    block_variance: float, block_dof: int, slopes: tuple[float, float], d: tuple[Estimate, Estimate]
) -> tuple[float, float]:
    # Independent parts: blocks, D₊, D₋; degrees of freedom by Satterthwaite.
    parts = [(slope * e.value) ** 2 * e.relative_variance for slope, e in zip(slopes, d, strict=True)]
    dofs = [e.dof for e in d]
    if math.isfinite(block_variance):
        parts.append(block_variance)
        dofs.append(float(block_dof))
    total = sum(parts)
    spread = sum(part**2 / dof for part, dof in zip(parts, dofs, strict=True))
    return total, (total**2 / spread if spread > 0 else math.inf)


def _conductivity(
    sums: ClusterSums, d: tuple[Estimate, Estimate], free_per_block: float, confidence: float
) -> Interval:
    if sums.charge_mobility > 0:
        slopes = sums.mobility_per_diffusivity
        return _estimate(sums.charge_mobility, sums.charge_mobility_variance, sums.block_dof, slopes, d).interval(
            confidence
        )
    # Never seen in n independent blocks: less often than −ln(1 − confidence)/n, and then all ions free at once at most.
    limit = min(-math.log(1.0 - confidence), float(sums.block_dof + 1)) * free_per_block
    return Interval(0.0, 0.0, limit, confidence, "no charged cluster seen; upper bound from the number of time blocks")


def _transference(sums: ClusterSums, d: tuple[Estimate, Estimate], confidence: float) -> Interval | None:
    if not math.isfinite(sums.cation_share):
        return None
    variance, dof = _combined(sums.cation_share_variance, sums.block_dof, sums.share_per_diffusivity, d)
    half = float(stdtrit(min(dof, 1e8), 0.5 * (1.0 + confidence))) * math.sqrt(variance)
    method = "linearised ratio; time blocks and both diffusivities, Student t"
    return Interval(sums.cation_share, sums.cation_share - half, sums.cation_share + half, confidence, method)


def _judge(populations: ClusterPopulations, sums: ClusterSums, charges_e: tuple[float, float]) -> Verdict:
    verdict = Verdict()
    if populations.percolating_fraction > 0:
        verdict = verdict.weaken(
            f"a cluster percolates through the cell in {100 * populations.percolating_fraction:.0f} % of the frames: "
            f"its ions move in a network, not as one body"
        )
    if len(populations.block_frames) < 4:
        verdict = verdict.weaken(f"{len(populations.block_frames)} time blocks, at least 4 are wanted for an interval")
    if sums.charge_mobility == 0.0:
        verdict = verdict.weaken("no charged cluster was seen: the conductivity is only bounded from above")
    charge = populations.n_cations * charges_e[0] + populations.n_anions * charges_e[1]
    if abs(charge) > 1e-6:
        verdict = verdict.weaken(
            f"the ions given carry {charge:+g} e together: other charges are missing from the clusters"
        )
    return verdict
