"""The answer of a campaign for barriers: each with its errors apart, the reference along the same path beside it.

The reference's single points along the path of the potential bound what its own band would give: at a point where
their forces differ by F, its own extremum lies off by about F²/2k, k the stiffness of the lattice. Top and start are
off alike, so that the difference of the two counts.

The interval of a barrier is its value plus and minus the sum of

- what separates it from the reference on the path, with those F²/2k
- the root of the squares of what the forces left in the band may hide, and of the committee's spread
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.analysis.results import Interval, Quality, Verdict, to_plain
from mlip_sse.campaign.barrier import Barrier, images_of
from mlip_sse.campaign.check_labels import labels_of
from mlip_sse.campaign.softening import softening_of
from mlip_sse.md_protocols.hop_barrier import SAME_ENERGY
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.model_errors import predict
from mlip_sse.potentials.whole_folder import folder_put_in_place
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.campaign.folder import CampaignFolder
    from mlip_sse.campaign.learner import Learner
    from mlip_sse.campaign.specs import BarrierCampaignSpec
    from mlip_sse.dataset import LabelledFrame

__all__ = ["BANDS_FOLDER", "barrier_answer", "errors_apart", "find_barriers", "hop_answer"]

BANDS_FOLDER = "bands"
_STIFFNESS = 1.0
"""eV/Å², as for the forces left in a band: softer vibrations of a lattice of ions are rare."""
_CONFIDENCE = 0.95
_METHOD = "climbing-image band; interval: the reference on the path, the committee's spread, forces left in the band"

_COPIED = ("start", "end", "vector_a", "distance_a", "n_equivalent", "is_reversible", "are_sites_equivalent")
_OF_THE_BAND = ("reaction_energy_ev", "path_a", "energies_ev", "highest_image", "n_atoms", "quality", "reasons")


def find_barriers(
    question: Barrier, folder: "CampaignFolder", learner: "Learner", last: Mapping[str, Any]
) -> dict[str, Any]:
    """Label the bands of the final potential and return the answer; potential and bands get their place.

    Parameters
    ----------
    question
        Of barriers.
    folder, learner, last
        As in `mlip_sse.campaign.questions.Question.answer`.
    """
    with folder_put_in_place(folder.potential) as partial:
        shutil.copytree(learner.fitted, partial, dirs_exist_ok=True)
    found = question.bands(learner)
    hops, n_checked = [], 0
    with folder_put_in_place(folder.path / BANDS_FOLDER) as place:
        for k, facts in enumerate(found.hops):
            images = [] if facts["band"] is None else images_of(facts)
            labels = labels_of(learner, images) if images else []
            n_checked += sum(label is not None for label in labels)
            hop = hop_answer(facts, images, labels)
            if images:
                shutil.copyfile(facts["band"]["file"], Path(place) / f"hop_{k + 1}.extxyz")
                hop["band"] = f"{BANDS_FOLDER}/hop_{k + 1}.extxyz"
            hops.append(hop)
    labelled = {"n_labelled": int(last["labels"]["n_total"]), "n_reference_calls": learner.n_calls}
    document = barrier_answer(question.spec, hops, last["decision"], found.reasons)
    return document | {
        "softening": _softening(learner),
        "labels": labelled | {"n_checked": n_checked},
        "provenance": to_plain(Provenance(settings=question.spec.identity())),
    }


def hop_answer(
    facts: Mapping[str, Any], images: "Sequence[Atoms]", labels: "Sequence[LabelledFrame | None]"
) -> dict[str, Any]:
    """Return what the answer says of one hop.

    Parameters
    ----------
    facts
        As the band left it.
    images
        Of the band, the ends among them, with the potential's forces; none where there is no band.
    labels
        The reference's, of each image.
    """
    hop: dict[str, Any] = {key: facts.get(key) for key in (*_COPIED, *_OF_THE_BAND)}
    hop |= {"barrier_ev": None, "reverse_barrier_ev": None, "reference_on_path_ev": None, "band": None}
    hop |= {"reverse_reference_on_path_ev": None, "reference_energies_ev": None, "errors_apart": None}
    hop |= {"above_lowest_ev": _above_lowest(hop["energies_ev"]), "reference_above_lowest_ev": None}
    if not images or facts.get("barrier_forward_ev") is None:
        return hop
    energies = [None if label is None else label.energy for label in labels]
    if energies[0] is not None:
        hop["reference_energies_ev"] = [None if e is None else e - energies[0] for e in energies]
        hop["reference_above_lowest_ev"] = _above_lowest(hop["reference_energies_ev"])
    apart = {}
    for name, ours, end in (("barrier_ev", "forward", 0), ("reverse_barrier_ev", "backward", -1)):
        own, top = facts[f"barrier_{ours}_ev"], int(facts["highest_image"])
        reference = None
        if labels[top] is not None and labels[end] is not None:
            reference = energies[top] - energies[end]  # type: ignore[operator]
        hop[("" if end == 0 else "reverse_") + "reference_on_path_ev"] = reference
        apart[name] = errors_apart(own, _committee(facts, ours), _off(own["value"], reference, labels, top, end))
        hop[name] = to_plain(_interval(own["value"], apart[name]))
    hop["errors_apart"] = apart["barrier_ev"]
    hop["reverse_errors_apart"] = apart["reverse_barrier_ev"]
    if hop["reference_on_path_ev"] is None:
        _weaken(hop, "the reference gave no labels of start and top: the interval does not know its error")
    if apart["barrier_ev"]["committee"] is None:
        _weaken(hop, "there is no committee: what the labels leave open is not in the interval")
    return hop


def _above_lowest(energies: Sequence[float | None] | None) -> float | None:
    """Return how far the top of a path lies above its lowest point, in eV; None where a point is not known."""
    known = [energy for energy in energies or () if energy is not None]
    return max(known) - min(known) if known and len(known) == len(energies or ()) else None


def _weaken(hop: dict[str, Any], reason: str) -> None:
    verdict = Verdict(Quality(hop["quality"]), tuple(hop["reasons"])).weaken(reason)
    hop["quality"], hop["reasons"] = str(verdict.quality), list(verdict.reasons)


def _committee(facts: Mapping[str, Any], way: str) -> float | None:
    """Return the half-width by the committee, in eV."""
    committee = facts.get("committee")
    if committee is None:
        return None
    interval = committee[f"barrier_{way}_ev"]
    return 0.5 * (float(interval["high"]) - float(interval["low"]))


def _off(
    value: float, reference: float | None, labels: "Sequence[LabelledFrame | None]", top: int, end: int
) -> float | None:
    """Return how far the reference's own barrier may be, in eV: on the path, and off it by its forces there."""
    if reference is None:
        return None
    squared = [float((label.forces**2).sum()) for label in (labels[top], labels[end]) if label is not None]
    return abs(value - reference) + abs(squared[0] - squared[1]) / (2 * _STIFFNESS)


def errors_apart(
    own: Mapping[str, float], committee: float | None, reference_check: float | None
) -> dict[str, float | None]:
    """Return the half-widths in eV, None where nobody knows.

    Parameters
    ----------
    own
        The interval of the band itself.
    committee, reference_check
        The others.
    """
    convergence = 0.5 * (own["high"] - own["low"])
    return {"convergence": convergence, "committee": committee, "reference_check": reference_check}


def _interval(value: float, errors: Mapping[str, float | None]) -> Interval:
    half = (errors["reference_check"] or 0.0) + math.hypot(errors["convergence"] or 0.0, errors["committee"] or 0.0)
    return Interval(value, value - half, value + half, _CONFIDENCE, _METHOD)


def barrier_answer(
    spec: "BarrierCampaignSpec",
    hops: Sequence[Mapping[str, Any]],
    decision: Mapping[str, Any],
    reasons: Sequence[str] = (),
) -> dict[str, Any]:
    """Return question, verdict, quality, reasons, hops and what is missing.

    Parameters
    ----------
    spec
        The campaign.
    hops
        As `hop_answer` made them.
    decision
        Of the last round.
    reasons
        Why there are no bands.
    """
    missing = []
    if not decision["stop"]:
        missing += [f"Learning ended before the answer stood: {reason}." for reason in decision["reasons"]]
    missing += [f"There are no bands: {reason}." for reason in reasons]
    for k, hop in enumerate(hops, start=1):
        missing += _lacking(f"hop {k} of {hop['distance_a']:.2f} Å", hop, spec)
    verdict = Verdict()
    with_barrier = [hop for hop in hops if hop["barrier_ev"] is not None]
    if not with_barrier:
        verdict = verdict.refuse("no hop has a barrier")
    for k, hop in enumerate(hops, start=1):
        for reason in hop["reasons"]:
            verdict = verdict.weaken(f"hop {k}: {reason}")
    return {
        "question": spec.question,
        "verdict": "not resolved" if missing or not with_barrier else "resolved",
        "quality": str(verdict.quality),
        "reasons": list(verdict.reasons),
        "hops": list(hops),
        "missing": missing + [said for k, hop in enumerate(hops, start=1) if (said := _detour(k, hop)) is not None],
    }


def _detour(number: int, hop: Mapping[str, Any]) -> str | None:
    """Return a sentence where a path passes a state below its start: ions at rest are there, and have further to go."""
    lowest = min(hop["energies_ev"] or [0.0])
    if hop["barrier_ev"] is None or lowest > -SAME_ENERGY:
        return None
    reference = hop["reference_above_lowest_ev"]
    theirs = "" if reference is None else f", {reference:.3f} eV by the reference"
    ours = f"{hop['above_lowest_ev']:.3f} eV"
    return (
        f"Hop {number} passes a state {-lowest:.3f} eV below its start, from which the top is {ours} "
        f"away{theirs}: ions at rest are there; a wider cell shows whether it is the crystal's or the cell's."
    )


def _lacking(name: str, hop: Mapping[str, Any], spec: "BarrierCampaignSpec") -> list[str]:
    """Return what a hop lacks, sentences that say which error is the largest."""
    wanted = spec.decide
    if hop["barrier_ev"] is None:
        return [f"No barrier of {name}: {'; '.join(hop['reasons'])}."]
    lacking = []
    if hop["reference_on_path_ev"] is None:
        lacking.append(f"The reference has not confirmed {name}: label its band again.")
    half = max(0.5 * (hop[key]["high"] - hop[key]["low"]) for key in ("barrier_ev", "reverse_barrier_ev"))
    if half > wanted.within_ev:
        known = {key: value for key, value in hop["errors_apart"].items() if value is not None}
        largest = max(known, key=lambda key: known[key])
        better = {
            "convergence": "lower band_fmax and fmax",
            "committee": "more labels near the band",
            "reference_check": "more labels near the band, or a finer potential",
        }[largest]
        lacking.append(
            f"The barrier of {name} is known within {half:.3f} eV, expected {wanted.within_ev:g}: most of it is "
            f"{largest.replace('_', ' ')}, {known[largest]:.3f} eV; {better}."
        )
    return lacking


def _softening(learner: "Learner") -> dict[str, Any] | None:
    """Return the softening slope on the frames that never train."""
    frames = [learner.dataset.frame(i) for i in learner.held_out]
    if len(frames) < 2:
        return None
    found = [each.forces for each in predict(load_potential(learner.fitted), frames)]
    return softening_of([frame.symbols for frame in frames], found, [frame.forces for frame in frames]).to_dict()
