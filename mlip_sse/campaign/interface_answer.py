"""The answer of a campaign for an interface: annealed, looked at, and its energy held against the reference.

The reaction energy is that of what the anneals left, brought to rest: e = (E_ab − E_a − E_b)/n, with the slabs at rest
in vacuum. The reference labels the same structures, so that what it differs by is the potential's error and no other
path. The interval of the energy is its mean over the anneals plus and minus the sum of

- what separates it from the reference at the same structures, in the mean over the anneals
- Student's t of how far the anneals lie apart
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from mlip_sse.analysis.interphase.growth import Outcome
from mlip_sse.analysis.results import Interval, Quality, Verdict, to_plain
from mlip_sse.campaign.check_labels import labels_of
from mlip_sse.campaign.interface import InterfaceReaction
from mlip_sse.campaign.interface_looks import last_frame, looked_at
from mlip_sse.errors import MlipSseError
from mlip_sse.md_protocols.force_source import ForceSource, force_source
from mlip_sse.md_protocols.interface_anneal import Annealed, anneal_interface
from mlip_sse.md_protocols.interface_energy import interface_energies_of
from mlip_sse.md_protocols.interface_layers import TwoSidedCell
from mlip_sse.md_protocols.interface_parts import Convergence, Part, RelaxedPart, relax_parts
from mlip_sse.md_protocols.interface_specs import InterfaceDynamicsSpec, InterfaceEnergySettings
from mlip_sse.md_protocols.interface_start import interface_at_rest
from mlip_sse.potentials.whole_folder import folder_put_in_place
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from mlip_sse.campaign.folder import CampaignFolder
    from mlip_sse.campaign.interface_specs import InterfaceCampaignSpec
    from mlip_sse.campaign.learner import Learner
    from mlip_sse.structures.interfaces import Interface

__all__ = ["answer_of", "dynamics_of", "find_interface", "reaction_energy"]

_AT_REST = Convergence(fmax=0.05, max_steps=400)
_CONFIDENCE = 0.95
_METHOD = "anneals brought to rest; interval: the reference at the same structures, spread of the anneals (Student's t)"
_LIMIT_S = 24 * 3600.0
_SAYS = {Outcome.NO_REACTION.value: False, Outcome.NO_GROWTH.value: True, Outcome.GROWTH.value: True}


def find_interface(
    question: InterfaceReaction, folder: "CampaignFolder", learner: "Learner", last: Mapping[str, Any]
) -> dict[str, Any]:
    """Anneal the interface with the final potential and return the answer; potential and trajectories get their place.

    Parameters
    ----------
    question
        Of an interface.
    folder, learner, last
        As in `mlip_sse.campaign.questions.Question.answer`.
    """
    spec = question.spec
    with folder_put_in_place(folder.potential) as partial:
        shutil.copytree(learner.fitted, partial, dirs_exist_ok=True)
    source = force_source(learner.fitted, folder.path)
    built, _ = interface_at_rest(spec.long_interface, source, learner.engine, progress=_told(learner, "bulks"))
    annealed = anneal_interface(
        TwoSidedCell.of(built),
        dynamics_of(spec),
        source,
        learner.engine,
        time_limit_s=_LIMIT_S,
        progress=lambda stage, state: learner.say("annealing" if stage == "anneal" else stage, state),
    )
    runs = looked_at(spec, annealed, folder.trajectories)
    energies = _energies(question, learner, built, annealed, source)
    static = _static(built, source, learner, spec.decide.depth_a)
    document = answer_of(spec, built.to_dict(), runs, energies, static, last)
    labels = {"n_labelled": int(last["labels"]["n_total"]), "n_reference_calls": learner.n_calls}
    return document | {
        "labels": labels | {"n_checked": energies["n_checked"]},
        "provenance": to_plain(Provenance(settings=spec.identity())),
    }


def dynamics_of(spec: "InterfaceCampaignSpec") -> InterfaceDynamicsSpec:
    """Return the protocol of a campaign's anneals."""
    anneal = spec.anneal
    return InterfaceDynamicsSpec(
        temperatures_k=anneal.temperatures_k,
        seeds=tuple(range(1, anneal.seeds + 1)),
        timestep_fs=anneal.timestep_fs,
        relax_steps=anneal.relax_steps,
        settle_temperature_k=anneal.settle_k,
        settle_ps=anneal.settle_ps,
        heat_ps=anneal.heat_ps,
        height=spec.height,
        production_ps=anneal.production_ps,
        dump_every_fs=anneal.dump_every_fs,
    )


def _told(learner: "Learner", stage: str) -> Any:
    return lambda state: learner.say(stage, state)


def _energies(
    question: InterfaceReaction, learner: "Learner", built: "Interface", annealed: Annealed, source: ForceSource
) -> dict[str, Any]:
    """Bring what the anneals left to rest, and the slabs; return the reaction energies of potential and reference."""
    from mlip_sse.analysis.interphase.energies import explicit_reaction_energy, interface_atoms

    side = np.asarray(built.side)
    n_atoms = interface_atoms(
        built.atoms.positions, np.asarray(built.atoms.cell.array), side, question.spec.decide.depth_a
    )
    ended = [None if run["trajectory"] is None else last_frame(run["trajectory"]) for run in annealed.runs]
    parts = {"slab_a": Part(built.slab_a, ("fixed",)), "slab_b": Part(built.slab_b, ("fixed",))}
    parts |= {f"run_{k}": Part(atoms, ("fixed",), side) for k, atoms in enumerate(ended) if atoms is not None}
    relaxed, _ = relax_parts(parts, _AT_REST, source, learner.engine, progress=_told(learner, "bringing to rest"))
    names = list(relaxed)
    labels = dict(zip(names, labels_of(learner, [relaxed[name].atoms for name in names]), strict=True))

    def by(energy: Mapping[str, float], name: str) -> float:
        slabs = (energy["slab_a"], energy["slab_b"])
        return float(explicit_reaction_energy(energy[name], *slabs, n_atoms).value or 0.0)

    mine = {name: part.energy_ev for name, part in relaxed.items()}
    theirs = {name: label.energy for name, label in labels.items() if label is not None}
    rows = []
    for name in names[2:]:
        knows = {"slab_a", "slab_b", name} <= theirs.keys()
        rows.append(
            {
                "run": int(name.removeprefix("run_")),
                "reaction_energy_ev_atom": by(mine, name),
                "reference_ev_atom": by(theirs, name) if knows else None,
                "reasons": _left_over(relaxed[name]),
            }
        )
    return {"runs": rows, "n_interface_atoms": n_atoms, "n_checked": len(theirs)}


def _left_over(part: RelaxedPart) -> list[str]:
    """Return what is to be said of a structure that did not come to rest."""
    if not part.reasons:
        return []
    return [f"brought to rest as far as {part.max_force_ev_a:.2g} eV/Å in {_AT_REST.max_steps} steps"]


def _static(built: "Interface", source: ForceSource, learner: "Learner", depth_a: float) -> dict[str, Any]:
    """Return adhesion, formation and strain of the interface as it was built; what fails is said, and no more."""
    settings = InterfaceEnergySettings(fmax=_AT_REST.fmax, max_steps=_AT_REST.max_steps, interface_depth_a=depth_a)

    def relax(parts: Mapping[str, Part]) -> dict[str, RelaxedPart]:
        goal = Convergence(fmax=settings.fmax, stress_tolerance_gpa=0.1, max_steps=settings.max_steps)
        return relax_parts(parts, goal, source, learner.engine, progress=_told(learner, "energies at rest"))[0]

    try:
        found = interface_energies_of(built, relax, settings).to_dict()
    except MlipSseError as error:
        return {"quality": "refused", "reasons": [str(error)]}
    found.pop("parts")
    plain: dict[str, Any] = json.loads(json.dumps(to_plain(found)))
    return plain


def reaction_energy(rows: Sequence[Mapping[str, Any]]) -> Interval | None:
    """Return the reaction energy with everything in its interval, eV by atom of the interface; None without a run.

    Parameters
    ----------
    rows
        One a run: ``reaction_energy_ev_atom`` by the potential, ``reference_ev_atom`` at the same structure.
    """
    values = np.array([row["reaction_energy_ev_atom"] for row in rows], dtype=np.float64)
    if not len(values):
        return None
    known = [(row["reaction_energy_ev_atom"], row["reference_ev_atom"]) for row in rows]
    apart = [mine - theirs for mine, theirs in known if theirs is not None]
    half = abs(sum(apart) / len(apart)) if apart else 0.0
    if len(values) > 1:
        half += float(stdtrit(len(values) - 1, 0.5 * (1 + _CONFIDENCE)) * values.std(ddof=1) / math.sqrt(len(values)))
    value = float(values.mean())
    return Interval(value, value - half, value + half, _CONFIDENCE, _METHOD)


def answer_of(
    spec: "InterfaceCampaignSpec",
    built: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    energies: Mapping[str, Any],
    static: Mapping[str, Any],
    last: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the document of the answer, plain data.

    Parameters
    ----------
    spec
        The campaign.
    built
        The interface of the anneals, as `Interface.to_dict` says it.
    runs, energies
        A row for each anneal, and the energies of what they left; ``run`` there counts ``runs``.
    static
        Energies of the interface as it was built, at rest.
    last
        The document of the last round.
    """
    by_temperature, lacking, verdict = [], [], Verdict()
    probe = last.get("probe") or {}
    if not last["decision"]["stop"]:
        lacking += [f"Learning ended before the answer stood: {reason}." for reason in last["decision"]["reasons"]]
        verdict = verdict.weaken("learning ended before the answer stood")
    for run in runs:
        for reason in run["reasons"]:
            verdict = verdict.weaken(f"{run['temperature_k']:g} K, seed {run['seed']}: {reason}")
    for temperature_k in spec.anneal.temperatures_k:
        mine = [(k, run) for k, run in enumerate(runs) if run["temperature_k"] == temperature_k]
        rows = [row for row in energies["runs"] if row["run"] in {k for k, _ in mine}]
        energy = reaction_energy(rows)
        if energy is None:
            lacking.append(f"No anneal at {temperature_k:g} K came to its end.")
        elif all(row["reference_ev_atom"] is None for row in rows):
            verdict = verdict.weaken(
                "the reference gave no labels of what the anneals left: its error is not in the interval"
            )
        elif len(rows) < 2:
            verdict = verdict.weaken("one anneal at a temperature: how far two lie apart is not in the interval")
        by_temperature.append(
            {
                "temperature_k": temperature_k,
                "does_react": _does_react([run for _, run in mine]),
                "reaction_energy_ev_atom": to_plain(energy),
                "energies": rows,
                "runs": [run for _, run in mine],
            }
        )
    reached = [
        each["reaction_energy_ev_atom"] is not None and each["does_react"] is not None for each in by_temperature
    ]
    is_resolved = bool(last["decision"]["stop"]) and all(reached)
    if not any(reached):
        verdict = Verdict(Quality.REFUSED, (*verdict.reasons, "no anneal gave an answer"))
    return {
        "question": spec.question,
        "verdict": "resolved" if is_resolved else "not resolved",
        "quality": str(verdict.quality),
        "reasons": list(dict.fromkeys(verdict.reasons)),
        "interface": {**built, "n_interface_atoms": energies["n_interface_atoms"]},
        "temperatures": by_temperature,
        "at_rest": dict(static),
        "reaction_energy_error_ev_atom": probe.get("reaction_energy_error_ev_atom"),
        "missing": lacking,
    }


def _does_react(runs: Sequence[Mapping[str, Any]]) -> bool | None:
    """Return whether all runs say that it reacts, or all that it does not; None where they differ or cannot tell."""
    said = {_SAYS.get(str(run.get("reaction"))) for run in runs}
    return said.pop() if len(said) == 1 else None
