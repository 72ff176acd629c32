"""An interface in time: which units of the electrolyte are whole, where what lies, and how thick the interphase is.

The thickness of an interphase is what its converted units would fill in the intact electrolyte, by interface:

    l(t) = N_converted(t) / (ρ A n),

with the density ρ of the intact electrolyte in the first look. A unit is converted when its centre is broken for longer
than it is whole, within the persistence time: a bond that vibrates past its length does not count.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.interphase.environments import Environments, UnitRule
from mlip_sse.analysis.interphase.growth import Growth, fit_growth
from mlip_sse.analysis.interphase.layout import Layout, find_layout, slab_drift
from mlip_sse.analysis.interphase.planes import height_of
from mlip_sse.analysis.interphase.products import ProductShare, product_shares
from mlip_sse.analysis.interphase.profiles import Profiles, density_profiles
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.snapshots import snapshots
from mlip_sse.analysis.structure.time_averages import share_interval
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Interphase", "InterphaseResult"]

_MOST_LOOKS = 2000
_FLICKER = 0.05


@dataclass(frozen=True, eq=False)
class InterphaseResult:
    """What happened at an interface.

    Parameters
    ----------
    names, elements
        Classes, and the element of each.
    times_ps : (n_looks,)
    class_counts : (n_looks, n_classes) atoms
    intact : (n_looks,) share of the electrolyte's units that are whole
    intact_start, intact_end
        The same in the first and last tenth of the run.
    layout
        Layers of the first look.
    converted : (n_interfaces, n_looks) units by interface
    thickness : (n_looks,) Å by interface; None without an interface
    growth
        Fits; None where there is no interface or too few looks.
    profiles
        Densities along the normal.
    products
        Element by element.
    drift : (n_looks,) Å along the normal, of the intact part
    verdict
        Quality and reasons.
    """

    names: tuple[str, ...]
    elements: tuple[str, ...]
    times_ps: NDArray[np.float64]
    class_counts: NDArray[np.int64]
    intact: NDArray[np.float64]
    intact_start: Interval
    intact_end: Interval
    layout: Layout
    converted: NDArray[np.int64]
    thickness: NDArray[np.float64] | None
    growth: Growth | None
    profiles: Profiles
    products: tuple[ProductShare, ...]
    drift: NDArray[np.float64]
    verdict: Verdict


@dataclass(frozen=True)
class Interphase:
    """Settings.

    Parameters
    ----------
    rules
        What an intact unit is.
    mobile
        The metals.
    look_ps
        Time from one look to the next.
    persistence_ps
        A unit is converted, or whole again, when it stays so for this long.
    bin_width
        Å of the profiles, about.
    start_ps
        Begin of the growth fit.
    electrolyte
        Fractional coordinates along c; found where not given.
    electrode
        Further elements that only the electrode holds.
    unit_density
        Units by Å³ of the intact bulk, where a better value than that of the slab is known.
    products
        Predicted amounts by formula.
    confidence
        Of all intervals.
    """

    rules: tuple[UnitRule, ...] = (UnitRule(),)
    mobile: tuple[str, ...] = ("Li",)
    look_ps: float = 0.5
    persistence_ps: float = 2.0
    bin_width: float = 1.0
    start_ps: float = 0.0
    electrolyte: tuple[float, float] | None = None
    electrode: tuple[str, ...] = ()
    unit_density: float | None = None
    products: "Mapping[str, float] | None" = None
    confidence: float = 0.95

    def run(self, trajectory: "Trajectory") -> InterphaseResult:
        """Analyse a trajectory whose interfaces lie across c.

        Raises
        ------
        InputError
            When a species of the rules is missing, or no unit lies in the electrolyte.
        """
        environments = Environments(trajectory.species, self.rules, self.mobile)
        looks = _Looks.of(self, trajectory, environments)
        layout = find_layout(
            environments,
            looks.classes[0],
            looks.first,
            looks.first_cell,
            self.electrolyte,
            self.electrode,
            self.unit_density,
        )
        broken = ~np.isin(looks.classes[:, layout.centres], environments.intact)
        settled, verdict = self._settled(broken, looks.spacing_ps)
        held = layout.centres[~settled.any(axis=0)]
        if not len(held):
            held = layout.centres
            verdict = verdict.weaken("no unit stays whole: drift is that of all units, profiles may be smeared")
        drift = slab_drift(looks.fractions, held)
        profiles = density_profiles(
            looks.fractions - layout.middle - drift[:, None],
            looks.classes,
            len(environments.names),
            looks.heights,
            looks.areas,
            looks.times_ps,
            self.bin_width,
        )
        masks = [layout.of_interface(name) for name in layout.interfaces]
        converted = np.array([settled[:, mask].sum(axis=1) for mask in masks], dtype=np.int64).reshape(-1, len(settled))
        growth, verdict = self._growth(looks.times_ps, converted, layout, masks, verdict)
        whole = ~settled
        tenth = max(1, len(whole) // 10)
        end = share_interval(whole[-tenth:], self.confidence)
        shares = product_shares(
            environments, looks.classes, 1.0 - float(end.value or 0.0), self.products, tenth, self.confidence
        )
        thickness = converted.sum(axis=0) / (layout.units_by_length * len(masks)) if masks else None
        return InterphaseResult(
            environments.names,
            environments.elements,
            looks.times_ps,
            np.array([np.bincount(row, minlength=len(environments.names)) for row in looks.classes]),
            whole.mean(axis=1),
            share_interval(whole[:tenth], self.confidence),
            end,
            layout,
            converted,
            thickness,
            growth,
            profiles,
            shares,
            drift * looks.heights,
            verdict,
        )

    def _settled(self, broken: NDArray[np.bool_], spacing_ps: float) -> tuple[NDArray[np.bool_], Verdict]:
        """Return which units are converted at each look, by the majority around it; runs shorter than that vanish."""
        from scipy.ndimage import median_filter

        persistence = max(1, round(self.persistence_ps / spacing_ps))
        width = min(2 * persistence - 1, 2 * ((len(broken) - 1) // 2) + 1)
        settled = median_filter(broken.astype(np.uint8), size=(width, 1), mode="reflect").astype(bool)
        flicker, verdict = float((settled != broken).mean()), Verdict()
        if flicker > _FLICKER:
            verdict = verdict.weaken(
                f"{flicker:.1%} of the looks at units find them broken, or whole, for less than "
                f"{self.persistence_ps:g} ps: where bonds end is not clear, look at g(r)"
            )
        return settled, verdict

    def _growth(
        self,
        times_ps: NDArray[np.float64],
        converted: NDArray[np.int64],
        layout: Layout,
        masks: list[NDArray[np.bool_]],
        verdict: Verdict,
    ) -> tuple[Growth | None, Verdict]:
        if not masks:
            return None, verdict.weaken(
                "no electrode is seen in the first look: there is no thickness; say where the electrolyte lies, "
                "electrolyte: [low, high], or which elements only the electrode has"
            )
        n_units = np.array([mask.sum() for mask in masks])
        try:
            growth = fit_growth(times_ps, converted, layout.units_by_length, n_units, self.start_ps, self.confidence)
        except InputError as error:
            return None, verdict.refuse(f"no growth: {error}")
        for reason in growth.verdict.reasons:
            verdict = verdict.weaken(reason)
        return growth, verdict


@dataclass(frozen=True, eq=False)
class _Looks:
    """Each look at the trajectory: classes, places along c, cells."""

    times_ps: NDArray[np.float64]
    spacing_ps: float
    classes: NDArray[np.int16]
    fractions: NDArray[np.float64]
    heights: NDArray[np.float64]
    areas: NDArray[np.float64]
    first: NDArray[np.float64]
    first_cell: NDArray[np.float64]

    @classmethod
    def of(cls, settings: Interphase, trajectory: "Trajectory", environments: Environments) -> "_Looks":
        frame_ps = trajectory.frame_spacing_fs / 1000.0
        stride = max(1, round(settings.look_ps / frame_ps), -(-trajectory.n_frames // _MOST_LOOKS))
        rows: list[NDArray[np.int16]] = []
        fractions, cells, frames = [], [], []
        first = np.empty((0, 3))
        for each in snapshots(trajectory, stride):
            if not rows:
                first = each.positions
            rows.append(environments.classify(each.positions, each.cell).classes)
            fractions.append((each.positions @ np.linalg.inv(each.cell))[:, 2])
            cells.append(each.cell)
            frames.append(each.frame)
        return cls(
            np.array(frames) * frame_ps,
            stride * frame_ps,
            np.stack(rows),
            np.stack(fractions),
            np.array([height_of(cell) for cell in cells]),
            np.array([np.linalg.norm(np.cross(cell[0], cell[1])) for cell in cells]),
            first,
            cells[0],
        )
