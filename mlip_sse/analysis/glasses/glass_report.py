"""What speaks for and against a structure being the glass that was wanted: units, bonds, coordination, Bragg peaks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.glasses.bragg import BraggTest, bragg_tests, intensities
from mlip_sse.analysis.results import Interval, Verdict, to_plain
from mlip_sse.analysis.structure.cells import cell_widths
from mlip_sse.analysis.structure.frames import structure_frames
from mlip_sse.analysis.structure.polyhedra import FREE, HOMOPOLAR
from mlip_sse.analysis.structure.rdf import RadialDistribution, peak_position, radial_distributions
from mlip_sse.analysis.structure.speciation import Speciation, SpeciationResult
from mlip_sse.analysis.structure.time_averages import mean_over_time
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["GlassCriteria", "GlassReport", "Shell", "find_centre", "glass_report"]

_CENTRES = ("P", "Si", "Ge", "B", "As", "Sb", "Sn", "Al")
_LIGANDS = ("S", "O", "Se")
_BONDS_A = {("P", "S"): (2.04, 2.07), ("P", "O"): (1.48, 1.62)}
_AMU_A3_PER_G_CM3 = 1.66053906660
_MOST_FRAMES = 200
_SHELLS = 120


@dataclass(frozen=True)
class GlassCriteria:
    """What a glass must be.

    Parameters
    ----------
    intact
        Least share of the centres in intact units; below, it is refused.
    expected
        Least share that the centres of one kind may be off what the composition says, as a difference; more is weak.
    homopolar
        Largest share of the ligands bound to another ligand; more is weak, five times as much refused.
    bond_a
        Where the mean bond of centre and ligand must lie, Å; outside is weak. None for what is known of the pair.
    fastest_k_ps, fewest_atoms
        Quench rate and number of atoms beyond which a glass is weak.
    """

    intact: float = 0.9
    expected: float = 0.1
    homopolar: float = 0.01
    bond_a: tuple[float, float] | None = None
    fastest_k_ps: float = 10.0
    fewest_atoms: int = 200


@dataclass(frozen=True)
class Shell:
    """The first shell of ligands around the mobile ions.

    Parameters
    ----------
    pair
        Both species, such as ``Li-S``.
    distance_a
        First peak of g(r) in Å; None where there is none.
    reach_a
        First minimum behind it.
    coordination
        Ligands of an ion up to there.
    """

    pair: str
    distance_a: float | None
    reach_a: float | None
    coordination: float | None


@dataclass(frozen=True, eq=False)
class GlassReport:
    """One glass.

    Parameters
    ----------
    n_atoms
        In the cell.
    density_g_cm3
        With the interval of one run.
    units
        Share of the centres in units of each kind; empty where there are no centres, as in a salt.
    intact, homopolar, free
        Share of centres in intact units, of ligands bound to ligands, and of ligands without a centre.
    centres_bonded
        Share of centres bound to a centre.
    bond
        Mean length of centre-ligand bonds in intact units, Å, thermal motion included.
    shell
        First shell around the mobile ions.
    bragg
        Sharpest peak of S(q).
    verdict
        Quality and reasons.
    """

    n_atoms: int
    density_g_cm3: Interval
    units: Mapping[str, Interval]
    intact: Interval | None
    homopolar: Interval | None
    free: float
    centres_bonded: Interval | None
    bond: Interval | None
    shell: Shell | None
    bragg: BraggTest | None
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        names = ("n_atoms", "density_g_cm3", "units", "intact", "homopolar", "free", "centres_bonded", "bond", "shell")
        plain = {name: to_plain(getattr(self, name)) for name in names}
        if self.bragg is not None:
            plain["bragg"] = {**to_plain(self.bragg), "is_crystalline": self.bragg.is_crystalline}
        return {**plain, "quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}


def find_centre(species: "NDArray[np.str_]") -> tuple[str, str] | None:
    """Return the commonest centre and ligand of polyanions, or None where there are none."""
    names, numbers = np.unique(species, return_counts=True)
    counts = dict(zip(names.tolist(), numbers.tolist(), strict=True))
    centres = [name for name in _CENTRES if name in counts]
    ligands = [name for name in _LIGANDS if name in counts]
    if not centres or not ligands:
        return None
    return max(centres, key=lambda name: counts[name]), max(ligands, key=lambda name: counts[name])


def glass_report(
    trajectory: "Trajectory",
    *,
    mobile: str = "Li",
    expected: Mapping[str, float] | None = None,
    quench_rate_k_ps: float | None = None,
    criteria: GlassCriteria | None = None,
    bragg: BraggTest | None = None,
    density_g_cm3: Interval | None = None,
) -> GlassReport:
    """Look at one glass.

    Parameters
    ----------
    trajectory
        At the temperature of the glass, at constant pressure for the density.
    mobile
        The ion whose first shell is wanted.
    expected
        Share of the centres in each unit, by the composition.
    quench_rate_k_ps
        How it was made.
    criteria
        What it must be.
    bragg
        The test of this glass, where it was made together with others; its own smooth part otherwise.
    density_g_cm3
        Where it is known better than from the stored cells, of which the second half counts.

    Raises
    ------
    InputError
        When no frame is there.
    """
    wanted = criteria if criteria is not None else GlassCriteria()
    pair = find_centre(trajectory.species)
    stride = max(1, trajectory.n_frames // _MOST_FRAMES)
    found = None if pair is None else Speciation(*pair, stride=stride).run(trajectory)
    test = bragg if bragg is not None else _bragg(trajectory)
    ligand = pair[1] if pair is not None else _counter_ion(trajectory, mobile)
    report = GlassReport(
        n_atoms=len(trajectory.species),
        density_g_cm3=density_g_cm3 or _density(trajectory),
        units={} if found is None else dict(found.centre_shares),
        intact=None if found is None else found.intact,
        homopolar=None if found is None else found.bound_to_ligand,
        free=0.0 if found is None else float(np.isin(found.of_ligands, _named(found, FREE, HOMOPOLAR)).mean()),
        centres_bonded=None if found is None else found.bound_to_centre,
        bond=None if found is None else found.bond_length,
        shell=None if ligand is None else _shell(trajectory, mobile, ligand, stride),
        bragg=test,
        verdict=Verdict(),
    )
    return replace(report, verdict=_verdict(report, pair, expected, quench_rate_k_ps, wanted))


def _verdict(
    report: GlassReport,
    pair: tuple[str, str] | None,
    expected: Mapping[str, float] | None,
    quench_rate_k_ps: float | None,
    wanted: GlassCriteria,
) -> Verdict:
    verdict = Verdict()
    if report.bragg is None:
        verdict = verdict.weaken("the cell is too small to tell a glass from a crystal by its S(q)")
    elif report.bragg.is_crystalline:
        verdict = verdict.refuse(
            f"found a Bragg peak at {report.bragg.q:.2f} Å⁻¹, {report.bragg.sharpest:.0f} times the smooth S(q), "
            f"expected at most {report.bragg.limit:.0f}: it is a crystal, or did not melt"
        )
    if pair is not None:
        verdict = _of_units(verdict, report, pair, expected, wanted)
    if quench_rate_k_ps is not None and quench_rate_k_ps > wanted.fastest_k_ps:
        verdict = verdict.weaken(
            f"quenched at {quench_rate_k_ps:g} K/ps, expected {wanted.fastest_k_ps:g} or less: the structure of the "
            "melt is frozen in"
        )
    if report.n_atoms < wanted.fewest_atoms:
        verdict = verdict.weaken(
            f"found {report.n_atoms} atoms, expected {wanted.fewest_atoms} or more: a glass has no unit cell"
        )
    return verdict


def _of_units(
    verdict: Verdict,
    report: GlassReport,
    pair: tuple[str, str],
    expected: Mapping[str, float] | None,
    wanted: GlassCriteria,
) -> Verdict:
    """Add what the units say."""
    centre, ligand = pair
    if report.intact is not None and report.intact.value is not None and report.intact.value < wanted.intact:
        verdict = verdict.refuse(
            f"found {report.intact.value:.1%} of the {centre} in intact units, expected {wanted.intact:.0%}: bonds "
            "broke that the potential may not know"
        )
    if report.homopolar is not None and (share := report.homopolar.value or 0.0) > wanted.homopolar:
        reason = f"found {share:.1%} of the {ligand} bound to {ligand}, expected at most {wanted.homopolar:.0%}"
        verdict = verdict.refuse(reason) if share > 5 * wanted.homopolar else verdict.weaken(reason)
    held = {name: share.value or 0.0 for name, share in report.units.items()}
    for name, share in (expected or {}).items():
        if abs(held.get(name, 0.0) - share) > wanted.expected:
            verdict = verdict.weaken(
                f"found {held.get(name, 0.0):.1%} of the {centre} in {name}, expected {share:.1%} by the composition"
            )
    limits = wanted.bond_a or _BONDS_A.get(pair)
    length = None if report.bond is None else report.bond.value
    if limits and length is not None and not limits[0] <= length <= limits[1]:
        verdict = verdict.weaken(
            f"found {centre}-{ligand} bonds of {length:.3f} Å, expected {limits[0]:.2f} to {limits[1]:.2f} Å"
        )
    return verdict


def _bragg(trajectory: "Trajectory") -> BraggTest | None:
    try:
        return bragg_tests([intensities(trajectory)])[0]
    except InputError:  # too few reciprocal vectors
        return None


def _density(trajectory: "Trajectory") -> Interval:
    # the second half: the first relaxes
    cells = trajectory.cells[trajectory.n_frames // 2 :]
    mass = float(trajectory.masses.sum()) * _AMU_A3_PER_G_CM3
    return mean_over_time(mass / np.abs(np.linalg.det(cells)), lowest=0.0).interval


def _named(found: SpeciationResult, *names: str) -> list[int]:
    return [place for place, name in enumerate(found.names) if name in names]


def _counter_ion(trajectory: "Trajectory", mobile: str) -> str | None:
    names, counts = np.unique(trajectory.species[trajectory.species != mobile], return_counts=True)
    return str(names[int(np.argmax(counts))]) if len(names) else None


def _shell(trajectory: "Trajectory", mobile: str, ligand: str, stride: int) -> Shell | None:
    n_ions = int((trajectory.species == mobile).sum())
    if not n_ions:
        return None
    kept = np.isin(trajectory.species, [mobile, ligand])
    r_max = min(6.0, 0.499 * min(float(cell_widths(cell).min()) for cell in trajectory.cells[::stride]))
    frames = ((positions[kept], cell) for positions, cell in structure_frames(trajectory, stride))
    found = radial_distributions(trajectory.species[kept], frames, r_max, _SHELLS)
    name = "-".join(sorted((mobile, ligand)))
    return _first_shell(f"{mobile}-{ligand}", found[name], n_ions)


def _first_shell(pair: str, pairs: RadialDistribution, n_ions: int) -> Shell:
    peak = peak_position(pairs.radii, pairs.values)
    if peak is None:
        return Shell(pair, None, None, None)
    smooth = np.convolve(pairs.values, np.ones(5) / 5, mode="same")
    behind = (pairs.radii > 1.15 * peak) & (pairs.radii < 1.7 * peak)
    if not behind.any():
        return Shell(pair, peak, None, None)
    reach = float(pairs.radii[behind][int(np.argmin(smooth[behind]))])
    return Shell(pair, peak, reach, pairs.coordination(reach) / n_ions)
