"""The question of barriers: bands of all symmetry-distinct vacancy hops, round by round, and the reference's energies.

Each round the images of the bands, those near the saddle first, are labelled beside what the dynamics saw. Before the
next fit knows them they have been a check: the reference's energies at the start and the top of each band are compared
with the barrier of the potential.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.campaign.check_labels import labels_of, without_results
from mlip_sse.campaign.decision import Criterion
from mlip_sse.campaign.questions import Question, Segment
from mlip_sse.campaign.seeds import number_from, starts_of
from mlip_sse.campaign.specs import BarrierCampaignSpec
from mlip_sse.md_protocols.neb_band import first_path
from mlip_sse.md_protocols.neb_run import CrystalError, run_barriers
from mlip_sse.md_protocols.neb_specs import NebSettings
from mlip_sse.md_protocols.neb_vacancy import find_hops, hop_ends
from mlip_sse.structures import VacancyHop, compact_supercell, rattle, scale_volume
from mlip_sse.structures.symmetry import site_orbits

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.campaign.folder import CampaignFolder
    from mlip_sse.campaign.learner import Learner
    from mlip_sse.dataset import LabelledFrame

__all__ = ["Bands", "Barrier", "barrier_criterion", "images_of", "is_near", "ranked_images"]

_COLDEST_K = 300.0
_WIDTH_A = 10.0
"""Of the cell with the vacancy, where the spec gives none."""
_SEED_RATTLE_A = 0.03
_SHAKEN_A = 0.05
_SAME_A = 0.03
"""Images whose atoms are all within this of those of a labelled one teach nothing new."""
_SAME_STRAIN = 2e-3
_SAME_HOP = 0.05
_MOST_TIMES = 4


@dataclass(frozen=True)
class Bands:
    """The bands of one potential.

    Parameters
    ----------
    hops
        As `mlip_sse.md_protocols.neb_run.Barriers` has them; none where the crystal could not be relaxed.
    crystal
        The relaxed crystal; None where there is none.
    reasons
        Why there are no bands at all.
    """

    hops: tuple[dict[str, Any], ...]
    crystal: Mapping[str, Any] | None
    reasons: tuple[str, ...] = ()


class Barrier(Question):
    """Barriers of vacancy hops.

    Parameters
    ----------
    spec
        The campaign.
    """

    def __init__(self, spec: BarrierCampaignSpec) -> None:
        self.spec = spec
        width = spec.structure.min_width_a
        self.settings = NebSettings(
            **spec.bands.model_dump(), mobile=spec.mobile, min_width_a=_WIDTH_A if width is None else width
        )

    @property
    def learning_spec(self) -> BarrierCampaignSpec:
        """The campaign."""
        return self.spec

    @property
    def temperatures_k(self) -> tuple[float, float]:
        """From 300 K, or the end of the ramps where that is colder, to their end."""
        return min(_COLDEST_K, self.spec.explore.top_k), self.spec.explore.top_k

    def crystal(self) -> "Atoms":
        """Return the crystal as the spec gives it, in its own cell."""
        own_cell = self.spec.structure.model_copy(update={"min_width_a": None})
        return starts_of(self.spec.model_copy(update={"structure": own_cell}))[0]

    def starts(self) -> "list[Atoms]":
        """Return the perfect cell, and one with a vacancy on each sort of site that a hop begins or ends on."""
        crystal = self.crystal()
        kinds = [int(number) for number in crystal.numbers]
        orbits = site_orbits(np.asarray(crystal.cell.array), crystal.get_scaled_positions(wrap=False), kinds)
        cells = {"": compact_supercell(crystal, min_width=self.settings.min_width_a)}
        for hop in find_hops(crystal, self.settings):
            _, _, initial, final = hop_ends(crystal, hop, self.settings.min_width_a)
            for empty, atoms in ((hop.end, initial), (hop.start, final)):
                cells.setdefault(str(orbits[empty]), atoms)
        return list(cells.values())

    def more_seeds(self) -> "list[Atoms]":
        """Return the images of a first path of each hop, shaken a little."""
        crystal = self.crystal()
        hops = find_hops(crystal, self.settings)
        return [
            image for k, hop in enumerate(hops) for image in self._path(crystal, hop, f"path {k + 1}", _SEED_RATTLE_A)
        ]

    def _path(self, crystal: "Atoms", hop: VacancyHop, name: str, shaken_a: float) -> "list[Atoms]":
        _, _, initial, final = hop_ends(crystal, hop, self.settings.min_width_a)
        images = []
        for place, positions in enumerate(first_path(initial, final, self.settings.n_images)[1:-1]):
            image = initial.copy()
            image.positions[:] = positions
            image = rattle(image, shaken_a, number_from(self.spec.seed, name, place))
            image.info = {"group": name, "place": place}
            images.append(image)
        return images

    def segments(self, starts: "Sequence[Atoms]", number: int, reach: float) -> list[Segment]:
        """Return ramps and warm runs, two of three with a vacancy; where runs end early there are up to four times."""
        coldest, top = self.temperatures_k
        perfect, defective = starts[:1], starts[1:]
        kinds = (
            ("vacancy ramp", defective, (coldest, top), "npt", 0.0),
            ("vacancy warm", defective, (top, top), "nvt", 0.02),
            ("crystal ramp", perfect, (coldest, top), "npt", 0.0),
        )
        known_reach = 1.0 if number == 1 else max(reach, 1e-3)  # warm runs hardly ever end early
        n_segments = self.spec.explore.segments * min(_MOST_TIMES, max(1, round(0.5 / known_reach)))
        segments = []
        for k in range(n_segments):
            at = k + (number - 1) * self.spec.explore.segments
            name, cells, temperatures, ensemble, change = kinds[at % len(kinds)]
            start = cells[(at // len(kinds)) % len(cells)]
            seed = number_from(self.spec.seed, number, k, "segment") % 899_999_999 + 1
            start = scale_volume(start, change) if change else start.copy()
            segments.append(Segment(f"{name} {k + 1}", start, temperatures, ensemble, seed))
        return segments

    def bands(self, learner: "Learner") -> Bands:
        """Return the bands of the potential as it is; what went wrong stands in the reasons."""
        try:
            found = run_barriers(
                self.crystal(),
                self.settings,
                learner.fitted,
                learner.engine,
                progress=lambda stage, state: learner.say("relaxing" if stage == "crystal" else "bands", state),
            )
        except CrystalError as error:
            return Bands((), None, (str(error),))
        return Bands(found.hops, found.crystal)

    def further_frames(self, learner: "Learner", number: int) -> "list[Atoms]":
        """Return the images of the bands that are not labelled yet, the saddles first.

        A hop without a band gives the images of a first path instead, shaken anew in each round.
        """
        found, crystal = self.bands(learner), self.crystal()
        hops = find_hops(crystal, self.settings)
        ranked: list[list[Atoms]] = []
        for k, hop in enumerate(hops):
            facts = found.hops[k] if len(found.hops) == len(hops) else None
            name = f"round {number} band {k + 1}"
            if facts is None or facts["band"] is None:
                ranked.append(self._path(crystal, hop, name, _SHAKEN_A))
            else:
                shaken_seed = number_from(self.spec.seed, number, k, "shaken")
                ranked.append(ranked_images(facts, name, shaken_seed))
        known = [learner.dataset.frame(i) for i in learner.train]
        new: list[Atoms] = []
        for rank in range(max(len(images) for images in ranked)):
            for images in ranked:
                if rank < len(images) and not is_near(images[rank], known, new):
                    new.append(images[rank])
        return new

    def probe(self, learner: "Learner", document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the barriers of the potential, and the reference's between start, top and end of its bands."""
        found = self.bands(learner)
        hops = []
        for facts in found.hops:
            hop = {key: facts[key] for key in ("start", "end", "distance_a", "quality", "reasons")}
            hop |= {
                "barrier_ev": facts.get("barrier_forward_ev"),
                "reverse_barrier_ev": facts.get("barrier_backward_ev"),
            }
            hop |= {"reference_on_path_ev": None, "reverse_reference_on_path_ev": None}
            if hop["barrier_ev"] is not None:
                images, top = images_of(facts), int(facts["highest_image"])
                start, peak, end = labels_of(learner, [images[at] for at in (0, top, -1)])
                if start is not None and peak is not None and end is not None:
                    hop["reference_on_path_ev"] = peak.energy - start.energy
                    hop["reverse_reference_on_path_ev"] = peak.energy - end.energy
            hops.append(hop)
        return {"hops": hops, "reasons": list(found.reasons)}

    def criterion(self, rounds: Sequence[Mapping[str, Any]]) -> Criterion:
        """Return whether each barrier stayed, and the reference agrees."""
        return barrier_criterion(rounds, self.spec.decide.tolerance_ev)

    def answer(self, folder: "CampaignFolder", learner: "Learner", last: Mapping[str, Any]) -> dict[str, Any]:
        """Label the whole of each band and put every error into the intervals."""
        from mlip_sse.campaign.barrier_answer import find_barriers

        return find_barriers(self, folder, learner, last)


def images_of(facts: Mapping[str, Any]) -> "list[Atoms]":
    """Return the images of a hop's band, the ends among them."""
    from ase.io import read

    images: list[Atoms] = read(facts["band"]["file"], index=":")
    return images


def ranked_images(facts: Mapping[str, Any], name: str, seed: int) -> "list[Atoms]":
    """Return the images of a band for training, most wanted first: the top, the top shaken, then away from it.

    Parameters
    ----------
    facts
        Of the hop. Where symmetry makes it its own way back, half the band is enough.
    name
        Of the group.
    seed
        Of the shaking.
    """
    images, top = images_of(facts), int(facts["highest_image"])
    last = top if facts["is_reversible"] else len(images) - 1
    order = sorted(range(last + 1), key=lambda at: (abs(at - top), at))
    ranked = []
    for at in order:
        image = without_results(images[at])
        image.info = {"group": name, "place": at}
        ranked.append(image)
    shaken = rattle(without_results(images[top]), _SHAKEN_A, seed)
    shaken.info = {"group": f"{name} shaken", "place": 0}
    return [ranked[0], shaken, *ranked[1:]]


def is_near(image: "Atoms", known: "Sequence[LabelledFrame]", new: "Sequence[Atoms]" = ()) -> bool:
    """Return whether a frame, known or new, is the same as an image within 0.03 Å of each atom and 0.2 % of strain."""
    symbols = image.get_chemical_symbols()
    others = [(frame.symbols, frame.cell, frame.positions) for frame in known]
    others += [(tuple(atoms.get_chemical_symbols()), atoms.cell.array, atoms.positions) for atoms in new]
    inverse = np.linalg.inv(image.cell.array)
    for names, cell, positions in others:
        if list(names) != symbols or np.abs(inverse @ np.asarray(cell) - np.eye(3)).max() > _SAME_STRAIN:
            continue
        apart = image.positions @ inverse - np.asarray(positions) @ np.linalg.inv(cell)
        apart -= np.rint(apart)
        apart -= apart.mean(axis=0)
        if np.linalg.norm(apart @ image.cell.array, axis=1).max() < _SAME_A:
            return True
    return False


def barrier_criterion(rounds: Sequence[Mapping[str, Any]], tolerance_ev: float) -> Criterion:
    """Return whether each barrier moved by no more than the tolerance, and the reference on the last path agrees."""
    wanted = f"barriers that move by at most {tolerance_ev:g} eV and are as close to the reference's on the path"
    name, probes = "the answer", [each.get("probe") or {"hops": []} for each in rounds]
    last = probes[-1]["hops"]
    if missing := [hop for hop in last if hop["barrier_ev"] is None]:
        reason = "; ".join(missing[0]["reasons"][:1])
        return Criterion(name, False, f"{len(missing)} of {len(last)} hops without a barrier ({reason})", wanted)
    if not last or any(not _are_comparable(probe["hops"], last) for probe in probes):
        reasons = "; ".join(probes[-1].get("reasons", ())[:1])
        return Criterion(name, False, "no barriers to compare" + (f" ({reasons})" if reasons else ""), wanted)
    keys = ("barrier_ev", "reverse_barrier_ev")
    moves = [
        abs(now[key]["value"] - then["hops"][k][key]["value"])
        for then in probes[:-1]
        for k, now in enumerate(last)
        for key in keys
    ]
    pairs = [(hop[key]["value"], hop[ref]) for hop in last for key, ref in zip(keys, _ON_PATH, strict=True)]
    found = f"moved by at most {max(moves, default=0.0):.3f} eV"
    if any(reference is None for _, reference in pairs):
        return Criterion(name, False, f"{found}, no labels of the reference on the path", wanted)
    off = max(abs(value - reference) for value, reference in pairs)
    met = max(moves, default=0.0) <= tolerance_ev and off <= tolerance_ev
    return Criterion(name, met, f"{found}, off the reference by at most {off:.3f} eV", wanted)


_ON_PATH = ("reference_on_path_ev", "reverse_reference_on_path_ev")


def _are_comparable(hops: Sequence[Mapping[str, Any]], last: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether two rounds found the same hops, all of them with barriers."""
    return len(hops) == len(last) and all(
        one["barrier_ev"] is not None and abs(one["distance_a"] / other["distance_a"] - 1) < _SAME_HOP
        for one, other in zip(hops, last, strict=True)
    )
