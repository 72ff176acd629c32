"""One object for sites and jumps: settings in, a trajectory through, rates and residence times with intervals out."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.assignment import METHODS, Assignment, assign
from mlip_sse.analysis.mechanism.counting import poisson_limits
from mlip_sse.analysis.mechanism.jump_diffusion import JumpDiffusion, jump_diffusion
from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.analysis.mechanism.network import HopEdges, critical_rates, hop_edges
from mlip_sse.analysis.mechanism.occupancy import ClassOccupancy, bootstrap_ratio, class_occupancies
from mlip_sse.analysis.mechanism.rates import HopRates, hop_rates
from mlip_sse.analysis.mechanism.residence import Residence, residence_time
from mlip_sse.analysis.mechanism.site_sources import sites_from_density, sites_from_template
from mlip_sse.analysis.mechanism.sites import Sites, SiteTemplate
from mlip_sse.analysis.mechanism.visits import Visits
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

__all__ = ["SiteAnalysis", "SitesAndJumps"]

MOST_UNASSIGNED = 0.2
MOST_MULTIPLE = 0.1
FEWEST_FRAMES_PER_RESIDENCE = 5.0
FEWEST_JUMPS = 30
STILL = 1e-5
"""Å; ions that moved less never moved."""

_BORDER_FRAMES = 3
"""Shortest visit by default where the border between sites has no width."""


@dataclass(frozen=True, eq=False)
class SiteAnalysis:
    """What the sites of a trajectory say.

    Parameters
    ----------
    assignment
        Sites, occupancies and all visits.
    visits, jumps
        After the minimum residence; ``vectors`` (n_jumps, 3) Å are those of the jumps.
    occupancies
        By site class.
    rates
        By hop class.
    residences
        By site class.
    diffusion
        Jump diffusivity and correlation factor.
    back_jumps
        Fraction of jumps that took back the one before.
    edges
        Of the hop network.
    critical
        Bottleneck rate in 1/fs along a, b and c, None where nothing leads through.
    frames_per_residence
        Shortest residence time of a class with enough exits, in frames; infinite without exits.
    missed_hops
        Expected fraction of hops that are lost, or taken for longer ones, because a second hop falls between the same
        two frames: mean over the jumps of Δt/2 (1/τ_from + 1/τ_to).
    """

    confidence: float
    temperature_k: float | None
    frame_spacing_fs: float
    method: str
    radius: float | None
    minimum_frames: int
    assignment: Assignment
    visits: Visits
    jumps: Jumps
    vectors: NDArray[np.float64]
    occupancies: tuple[ClassOccupancy, ...]
    rates: HopRates
    residences: tuple[Residence, ...]
    diffusion: JumpDiffusion
    back_jumps: Interval | None
    edges: HopEdges
    critical: dict[str, Interval | None]
    unassigned: Interval
    frames_per_residence: float
    missed_hops: float
    verdict: Verdict


@dataclass(frozen=True)
class SitesAndJumps:
    """Sites, jumps between them, their rates and their network.

    Parameters
    ----------
    mobile
        Species that jump.
    sites
        Sites, a template to be laid over the trajectory, or None for the peaks of the density.
    method
        ``spheres``, ``nearest`` or ``tetrahedra``; see `mlip_sse.analysis.mechanism.assignment`.
    radius
        Outer radius of spheres in Å; half the distance of the closest two sites where left out.
    inner_fraction
        Inner radius, within which an ion arrives, over the outer one.
    corners
        Species that tetrahedra are made of.
    minimum_residence_fs
        Shorter visits do not count. Left out: none for spheres, three frames for the other two, whose borders have no
        width.
    confidence
        Of all intervals.
    """

    mobile: tuple[str, ...] = ("Li",)
    sites: Sites | SiteTemplate | None = None
    method: str = "spheres"
    radius: float | None = None
    inner_fraction: float = 0.6
    corners: tuple[str, ...] = ()
    minimum_residence_fs: float | None = None
    cell_tolerance: float = 0.05
    confidence: float = 0.95

    def run(self, trajectory: Trajectory) -> SiteAnalysis:
        """Analyse one trajectory that is seen from its framework.

        Raises
        ------
        InputError
            When there are no such ions, they never move, sites overlap or are of another cell.
        """
        if self.method not in METHODS:
            raise InputError(f"assignment {self.method!r} is unknown, expected one of {', '.join(METHODS)}")
        indices = trajectory.indices(list(self.mobile))
        _refuse_still(trajectory, indices, self.mobile)
        sites = self._sites(trajectory, indices)
        corners = trajectory.indices(list(self.corners)) if self.corners else None
        radius = (self.radius or 0.5 * sites.closest[0]) if self.method == "spheres" else None
        assignment = assign(trajectory, indices, sites, self.method, radius, self.inner_fraction, corners)
        minimum = self._minimum_frames(trajectory.frame_spacing_fs)
        return self._measure(trajectory, indices, assignment, radius, minimum)

    def _sites(self, trajectory: Trajectory, indices: NDArray[np.intp]) -> Sites:
        if isinstance(self.sites, SiteTemplate):
            return sites_from_template(self.sites, trajectory, indices, self.cell_tolerance)
        return self.sites if self.sites is not None else sites_from_density(trajectory, indices)

    def _minimum_frames(self, spacing: float) -> int:
        if self.minimum_residence_fs is None:
            return 1 if self.method == "spheres" else _BORDER_FRAMES
        return max(1, math.ceil(self.minimum_residence_fs / spacing - 1e-9))

    def _measure(
        self,
        trajectory: Trajectory,
        indices: NDArray[np.intp],
        assignment: Assignment,
        radius: float | None,
        minimum: int,
    ) -> SiteAnalysis:
        sites, spacing = assignment.sites, trajectory.frame_spacing_fs
        visits = assignment.visits.lasting(minimum)
        jumps = visits.jumps()
        vectors = jumps.vectors(sites.fractional, sites.cell)
        rates = hop_rates(visits, jumps, sites, spacing)
        residences = tuple(
            residence_time(visits, sites.class_of[visits.sites] == k, label, spacing, self.confidence)
            for k, label in enumerate(sites.classes)
            if (sites.class_of[visits.sites] == k).any()
        )
        back, pairs = visits.back_jumps()
        edges = hop_edges(jumps, rates.class_of)
        shortest = min(
            (r.time.value / spacing for r in residences if r.time.value and r.n_exits >= FEWEST_JUMPS),
            default=min((r.time.value / spacing for r in residences if r.time.value), default=math.inf),
        )
        unassigned = bootstrap_ratio(assignment.unassigned, assignment.block_frames * visits.n_ions, self.confidence)
        missed = _missed_hops(sites, jumps, residences, spacing)
        diffusion = jump_diffusion(trajectory, indices, visits, jumps, vectors, self.confidence)
        return SiteAnalysis(
            confidence=self.confidence,
            temperature_k=trajectory.temperature_k,
            frame_spacing_fs=spacing,
            method=self.method,
            radius=radius,
            minimum_frames=minimum,
            assignment=assignment,
            visits=visits,
            jumps=jumps,
            vectors=vectors,
            occupancies=class_occupancies(assignment, self.confidence),
            rates=rates,
            residences=residences,
            diffusion=diffusion,
            back_jumps=bootstrap_ratio(back, pairs, self.confidence, ordered=False) if pairs.sum() else None,
            edges=edges,
            critical=critical_rates(len(sites), edges, rates, self.confidence),
            unassigned=unassigned,
            frames_per_residence=shortest,
            missed_hops=missed,
            verdict=_judge(assignment, jumps, vectors, diffusion, shortest, missed, trajectory),
        )


def _missed_hops(sites: Sites, jumps: Jumps, residences: tuple[Residence, ...], spacing: float) -> float:
    stay = np.full(len(sites.classes), np.inf)
    for residence in residences:
        if residence.time.value:
            stay[sites.classes.index(residence.label)] = residence.time.value
    leaving = 0.5 * spacing / stay[sites.class_of]
    return float((leaving[jumps.sites_from] + leaving[jumps.sites_to]).mean()) if len(jumps) else 0.0


def _refuse_still(trajectory: Trajectory, indices: NDArray[np.intp], mobile: tuple[str, ...]) -> None:
    """Refuse ions whose positions never change."""
    first = np.asarray(trajectory.positions[0], dtype=np.float64)[indices]
    largest = 0.0
    for frame in np.unique(np.linspace(0, trajectory.n_frames - 1, 16).astype(int)):
        moved = np.asarray(trajectory.positions[frame], dtype=np.float64)[indices] - first
        if trajectory.drift is not None:
            moved = moved - (trajectory.drift[frame] - trajectory.drift[0])
        if not np.isfinite(moved).all():
            raise InputError(f"frame {frame} holds coordinates that are not finite: repair or cut the trajectory")
        largest = max(largest, float(np.abs(moved).max()))
    if largest < STILL:
        raise InputError(
            f"{', '.join(mobile)} never moves: the largest displacement in {trajectory.n_frames} frames is "
            f"{largest:.1e} Å; name the species that does"
        )


def _judge(
    assignment: Assignment,
    jumps: Jumps,
    vectors: NDArray[np.float64],
    diffusion: JumpDiffusion,
    shortest: float,
    missed: float,
    trajectory: Trajectory,
) -> Verdict:
    verdict = Verdict()
    if assignment.sites.doubt:
        verdict = verdict.weaken(assignment.sites.doubt)
    if assignment.unassigned_fraction > MOST_UNASSIGNED:
        verdict = verdict.weaken(
            f"ions are outside all sites for {assignment.unassigned_fraction:.0%} of the time, expected at most "
            f"{MOST_UNASSIGNED:.0%}: sites are missing, or the radius is too small; assign to the nearest site or to "
            "tetrahedra"
        )
    if assignment.multiple_fraction > MOST_MULTIPLE:
        verdict = verdict.weaken(
            f"occupied sites hold two or more ions for {assignment.multiple_fraction:.0%} of the time, expected at "
            f"most {MOST_MULTIPLE:.0%}: sites are merged or missing"
        )
    if not len(jumps):
        total = trajectory.n_frames * trajectory.frame_spacing_fs * assignment.visits.n_ions
        limit = poisson_limits(0)[1] / total
        return verdict.weaken(
            f"no ion jumped: the rate is below {limit * 1e3:.2g} per ps and ion; run longer or hotter"
        )
    if len(jumps) < FEWEST_JUMPS:
        verdict = verdict.weaken(f"only {len(jumps)} jumps, expected at least {FEWEST_JUMPS}")
    if shortest < FEWEST_FRAMES_PER_RESIDENCE:
        verdict = verdict.weaken(
            f"ions stay for {shortest:.1f} frames ({shortest * trajectory.frame_spacing_fs:.3g} fs) on the shortest-"
            f"lived sites, expected at least {FEWEST_FRAMES_PER_RESIDENCE:.0f} frames: about {min(missed, 1):.0%} of "
            "the hops are missed or taken for longer ones, store frames more often"
        )
    length = float(np.sqrt((vectors**2).sum(axis=1).mean()))
    if diffusion.unexplained > 0.75 * length:
        verdict = verdict.weaken(
            f"the jumps leave {diffusion.unexplained:.1f} Å (rms) of the ions' net displacement unexplained, with "
            f"jumps of {length:.1f} Å: sites are missing"
        )
    factor = diffusion.correlation_factor
    if factor is not None and factor.low > 1.1:
        verdict = verdict.weaken(
            f"D* is {factor.value:.2g} times the jumps' diffusivity, expected at most one: jumps or sites are missing, "
            "or ions move together"
        )
    return verdict
