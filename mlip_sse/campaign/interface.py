"""The question of an interface: does it react, and how sure is the energy that it gives.

The potential learns the interface itself, both crystals, their surfaces, and what they may form. Dynamics explores the
interface with bonds free to break and the cell free along the normal alone. After each round the potential is judged by
the reaction energy on frames of the interface that never train,

e = (E_ab − E_a − E_b) / n,   E_a, E_b: the two slabs in the same cell, n: atoms near the interface at the start,

as the reference has it and as the potential has it.

References
----------
Chandrappa, Qi, Chen, Banerjee and Ong, J. Am. Chem. Soc. 144, 18009 (2022), doi:10.1021/jacs.2c07482, who learnt S8 |
β-Li3PS4 with its reaction energy as the measure.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval, to_plain
from mlip_sse.campaign.check_labels import labels_of
from mlip_sse.campaign.decision import Criterion
from mlip_sse.campaign.interface_specs import InterfaceCampaignSpec
from mlip_sse.campaign.learning_specs import SeedsSpec
from mlip_sse.campaign.questions import Question, Segment
from mlip_sse.campaign.seeds import number_from, seed_frames
from mlip_sse.errors import InputError
from mlip_sse.potentials.training_data.drawing import contact_frames
from mlip_sse.potentials.training_data.specs import ContactSpec
from mlip_sse.structures import compact_supercell, crystal, rattle, scale_volume

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.campaign.folder import CampaignFolder
    from mlip_sse.campaign.learner import Learner
    from mlip_sse.dataset import LabelledFrame
    from mlip_sse.structures.interfaces import Interface

__all__ = ["InterfaceReaction", "energies_by", "interface_criterion", "reaction_energy_error"]

_COLDEST_K = 200.0
_PRODUCT_WIDTH_A = 6.0
_BULK_WIDTH_A = 7.0
_GAPS_A = (-0.3, 0.3, 0.8, 1.5, 3.0)
"""By which both gaps of the interface are wider in its further seeds."""
_N_STARTS_WITHOUT_PRODUCTS = 5
_CONFIDENCE = 0.95
_LEAST_GROUPS = 3


class InterfaceReaction(Question):
    """Whether an interface reacts, how fast, and with what energy.

    Parameters
    ----------
    spec
        The campaign.
    """

    def __init__(self, spec: InterfaceCampaignSpec) -> None:
        self.spec = spec
        self._built: Interface | None = None

    @property
    def learning_spec(self) -> InterfaceCampaignSpec:
        """The campaign."""
        return self.spec

    @property
    def temperatures_k(self) -> tuple[float, float]:
        """From 200 K, or the coldest anneal, to the end of the ramps."""
        return min(_COLDEST_K, *self.spec.anneal.temperatures_k), self.spec.hottest_k

    @property
    def asked_k(self) -> float:
        """The hottest anneal."""
        return self.spec.asked_k

    @property
    def interface(self) -> "Interface":
        """The interface that is learnt, as it was built."""
        if self._built is None:
            self._built = self.spec.interface.build()
        return self._built

    def starts(self) -> "list[Atoms]":
        """Return the interface, the two strained crystals, the two slabs, and the products."""
        built = self.interface
        if self.spec.mobile not in built.atoms.get_chemical_symbols():
            elements = ", ".join(sorted(set(built.atoms.get_chemical_symbols())))
            raise InputError(f"mobile: found {self.spec.mobile}, expected one of the interface's elements {elements}")
        bulks = [compact_supercell(bulk, min_width=_BULK_WIDTH_A) for bulk in (built.bulk_a, built.bulk_b)]
        known = set(built.atoms.get_chemical_symbols())
        products = []
        for name in self.spec.products:
            product = crystal(name)
            if foreign := set(product.get_chemical_symbols()) - known:
                raise InputError(
                    f"products: found {name} with {', '.join(sorted(foreign))}, expected elements of the interface"
                )
            products.append(compact_supercell(product, min_width=_PRODUCT_WIDTH_A))
        return [_bare(atoms) for atoms in (built.atoms, *bulks, built.slab_a, built.slab_b, *products)]

    def seeds_around(self, start: "Atoms", number: int, name: str) -> "list[Atoms]":
        """Return all seeds around the interface and the crystals, few around slabs and products."""
        seeds = self.spec.seeds
        if number in (3, 4):
            seeds = SeedsSpec(strained=1, rattled=max(1, seeds.rattled // 2), displaced=0, contacts=0, units=0)
        elif number >= _N_STARTS_WITHOUT_PRODUCTS:
            seeds = SeedsSpec(strained=3, rattled=max(1, seeds.rattled // 2), displaced=2, contacts=2, units=0)
        frames = seed_frames(self.spec.model_copy(update={"seeds": seeds}), start, name)
        return frames if number else [*frames, *self._apart(start, name), *self._mixed(start, name)]

    def _apart(self, start: "Atoms", name: str) -> "list[Atoms]":
        """Return the interface with its gaps wider and narrower, shaken a little."""
        frames = []
        for place, wider in enumerate(_GAPS_A):
            frame = rattle(self._with_gap(start, wider), 0.03, number_from(self.spec.seed, name, "gap", place))
            frame.info = {"group": f"{name} gaps", "place": place}
            frames.append(frame)
        return frames

    def _mixed(self, start: "Atoms", name: str) -> "list[Atoms]":
        """Return the interface with a third of its atoms in each other's places, and of such frames with a contact.

        What a reaction brings together, P and P or P and Cl, meets in neither crystal: without such frames the
        potential has holes there that dynamics falls into.
        """
        frames = []
        for place in range(self.spec.mixed):
            seed = number_from(self.spec.seed, name, "mixed", place)
            rng = np.random.default_rng(seed)
            moved = rng.choice(len(start), size=max(2, len(start) // 3), replace=False)
            frame = rattle(scale_volume(start, float(rng.uniform(0.0, 0.15))), 0.05, seed)
            frame.numbers[moved] = frame.numbers[rng.permutation(moved)]
            frame.info = {"group": f"{name} mixed", "place": place}
            frames.append(frame)
        if not frames:
            return []
        return [*frames, *contact_frames(frames[0], ContactSpec(n_frames=len(frames)), f"{name} met", self.spec.seed)]

    def _with_gap(self, start: "Atoms", wider: float) -> "Atoms":
        """Return a copy with side b moved up and the cell made longer, so that each gap grows by ``wider`` Å."""
        atoms = start.copy()
        moved = np.asarray(self.interface.side) == 1
        atoms.positions[moved, 2] += wider
        cell = atoms.cell.array.copy()
        cell[2, 2] += wider * self.interface.n_interfaces
        atoms.set_cell(cell)
        return atoms

    def segments(self, starts: "Sequence[Atoms]", number: int, reach: float) -> list[Segment]:
        """Return runs of the interface, ramps and at the anneal's temperature; one in six of a crystal alone.

        Bonds may change in all of them: hot sulfur opens its rings by itself.
        """
        coldest, top = self.temperatures_k
        asked = self.asked_k
        kinds = (
            ("interface ramp", 0, (coldest, top), "npz"),
            ("interface", 0, (asked, asked), "npz"),
            ("interface hot", 0, (asked, top), "nvt"),
            ("interface ramp", 0, (coldest, asked), "npz"),
            ("interface hot", 0, (top, top), "npz"),
            ("crystal ramp", 1 + number % 2, (coldest, top), "npt"),
        )
        n_segments = self.spec.explore.segments * min(4, max(1, round(0.5 / max(reach, 1e-3))))
        segments = []
        for k in range(n_segments):
            name, which, temperatures, ensemble = kinds[(k + (number - 1) * self.spec.explore.segments) % len(kinds)]
            ensemble = "nvt" if self.spec.height == "fixed" else ensemble
            seed = number_from(self.spec.seed, number, k, "segment") % 899_999_999 + 1
            segments.append(Segment(f"{name} {k + 1}", starts[which].copy(), temperatures, ensemble, seed, True))
        return segments

    def n_interface_atoms(self, start: "Atoms") -> int:
        """Return how many atoms the reaction energy is shared by."""
        from mlip_sse.analysis.interphase.energies import interface_atoms

        cell, side = np.asarray(start.cell.array), np.asarray(self.interface.side)
        return interface_atoms(start.positions, cell, side, self.spec.decide.depth_a)

    def judging_frames(self, learner: "Learner") -> "list[LabelledFrame]":
        """Return the labelled frames of the interface that never train."""
        symbols = tuple(learner.starts[0].get_chemical_symbols())
        frames = (learner.dataset.frame(each) for each in learner.held_out)
        return [frame for frame in frames if tuple(frame.symbols) == symbols]

    def probe(self, learner: "Learner", document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the error of the reaction energy on frames that never train; None with fewer than three runs."""
        frames = self.judging_frames(learner)
        slabs = labels_of(learner, learner.starts[3:5])
        if any(slab is None for slab in slabs):
            return None
        known = [*frames, *(slab for slab in slabs if slab is not None)]
        found = energies_by(learner, known) - np.array([frame.energy for frame in known])
        n_atoms = self.n_interface_atoms(learner.starts[0])
        errors = (found[:-2] - found[-2] - found[-1]) / n_atoms
        energies = np.array([frame.energy for frame in frames]) - sum(frame.energy for frame in known[-2:])
        groups = [frame.group for frame in frames]
        return {
            "reaction_energy_error_ev_atom": to_plain(reaction_energy_error(errors, groups)),
            "bias_ev_atom": float(errors.mean()) if len(errors) else None,
            "slab_errors_ev": [float(each) for each in found[-2:]],
            "reaction_energies_ev_atom": [round(float(each), 5) for each in energies / n_atoms],
            "n_frames": len(frames),
            "n_interface_atoms": n_atoms,
        }

    def criterion(self, rounds: Sequence[Mapping[str, Any]]) -> Criterion:
        """Return whether the error of the reaction energy is small, and stayed so."""
        return interface_criterion(rounds, self.spec.decide.tolerance_ev_atom, self.spec.decide.explored_ps)

    def answer(self, folder: "CampaignFolder", learner: "Learner", last: Mapping[str, Any]) -> dict[str, Any]:
        """Anneal the interface and say what became of it."""
        from mlip_sse.campaign.interface_answer import find_interface

        return find_interface(self, folder, learner, last)


def energies_by(learner: "Learner", frames: "Sequence[LabelledFrame]") -> NDArray[np.float64]:
    """Return the energies of frames by the potential as it is, (n_frames,) eV."""
    from ase import Atoms

    from mlip_sse.potentials import load_potential

    calculator = load_potential(learner.fitted).calculator()
    energies = []
    for frame in frames:
        atoms = Atoms(list(frame.symbols), positions=frame.positions, cell=frame.cell, pbc=True)
        atoms.calc = calculator
        energies.append(float(atoms.get_potential_energy()))
    return np.array(energies)


def reaction_energy_error(errors: NDArray[np.float64], groups: Sequence[str]) -> Interval | None:
    """Return the mean absolute error with Student's t over the runs that the frames come from; None with few.

    Parameters
    ----------
    errors
        (n_frames,) eV/atom.
    groups
        The run of each frame: frames of one run are alike, and count together.
    """
    names = sorted(set(groups))
    if len(names) < _LEAST_GROUPS:
        return None
    labels = np.array(groups)
    means = np.array([np.abs(errors[labels == name]).mean() for name in names])
    half = float(stdtrit(len(means) - 1, 0.5 * (1 + _CONFIDENCE)) * means.std(ddof=1) / np.sqrt(len(means)))
    value = float(means.mean())
    method = f"mean absolute error over {len(means)} runs that never train, Student's t"
    return Interval(value, max(0.0, value - half), value + half, _CONFIDENCE, method)


def interface_criterion(
    rounds: Sequence[Mapping[str, Any]], tolerance_ev_atom: float, explored_ps: float = 0.0
) -> Criterion:
    """Return whether the mean error of the reaction energy was within the tolerance in each of some rounds.

    Parameters
    ----------
    rounds
        The last ones.
    tolerance_ev_atom
        Largest error.
    explored_ps
        Least time that the runs of each round came to: what short runs never meet, a long anneal falls into.
    """
    name = "the answer"
    wanted = (
        f"reaction energies within {1000 * tolerance_ev_atom:g} meV/atom of the reference's on frames that never train"
    )
    probes = [each.get("probe") for each in rounds]
    errors = [None if probe is None else probe["reaction_energy_error_ev_atom"] for probe in probes]
    known = [float(each["value"]) for each in errors if each is not None]
    if len(known) < len(errors):
        return Criterion(name, False, f"{len(known)} probes in {len(rounds)} rounds", wanted)
    reached = [sum(float(run["reached_ps"]) for run in each["exploration"]) for each in rounds]
    found = ", ".join(f"{1000 * each:.1f}" for each in known) + " meV/atom"
    found += ", in runs of " + ", ".join(f"{each:.0f}" for each in reached) + " ps"
    met = max(known) <= tolerance_ev_atom and min(reached) >= explored_ps
    return Criterion(name, met, found, f"{wanted}, in {explored_ps:g} ps of runs or more")


def _bare(atoms: "Atoms") -> "Atoms":
    from ase import Atoms

    return Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell.array, pbc=True)
