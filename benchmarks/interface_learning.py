"""Does choosing the frames of an interface pay? The error of its reaction energy against labels, chosen and at random.

    python benchmarks/interface_learning.py --spec s8_li3ps4 --labels 330 --seeds 1 --out FOLDER

For each seed two campaigns learn from the same seed frames, one that selects by committee and one that draws at random
(`select.strategy`), until the budget of labels is spent: no decision ends them. Every round's potential of both is then
judged by the frames of the interface that either held out, so that both are judged by the same: mean absolute error of
the explicit reaction energy and force RMSE. The frames come from dynamics with both arms' own potentials. Everything is
kept in FOLDER: the same command goes on where it was.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlip_sse.campaign.campaign import Campaign
from mlip_sse.campaign.folder import CampaignFolder
from mlip_sse.campaign.interface import InterfaceReaction, reaction_energy_error
from mlip_sse.campaign.interface_specs import InterfaceCampaignSpec
from mlip_sse.campaign.specs import load_campaign
from mlip_sse.dataset import Dataset, LabelledFrame
from mlip_sse.engine import Engine
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.training_data.starts import structure_of
from mlip_sse.references import load_reference

ARMS = ("committee", "random")


def spec_of(base: InterfaceCampaignSpec, arm: str, seed: int, labels: int) -> InterfaceCampaignSpec:
    """Return the campaign of one arm, which labels alone end."""
    plain = base.model_dump(mode="json", exclude_none=True)
    plain["seed"] = seed
    plain["select"]["strategy"] = arm
    plain["decide"]["tolerance_ev_atom"] = 1e-6
    plain["budget"] |= {"labels": labels, "rounds": 1000}
    return InterfaceCampaignSpec.parse(plain, f"{arm}-{seed}")


def learn(spec: InterfaceCampaignSpec, folder: Path) -> list[dict[str, Any]]:
    """Run the rounds of one arm and return their documents."""
    rounds = []
    for each in Campaign(spec, folder).rounds():
        rounds.append(each)
        print(f"{folder.name}: round {each['number']}, {each['labels']['n_reference_calls']} labels", flush=True)
    return rounds


def held_out(folder: Path, last: dict[str, Any]) -> list[LabelledFrame]:
    """Return the frames of the interface that an arm held out."""
    state = last["state_of_learning"]
    symbols = tuple(structure_of(state["starts"][0]).get_chemical_symbols())
    dataset = Dataset(folder / "dataset")
    frames = [dataset.frame(each) for each in state["held_out"]]
    return [frame for frame in frames if tuple(frame.symbols) == symbols]


def slabs(spec: InterfaceCampaignSpec, last: dict[str, Any], engine: Engine) -> list[LabelledFrame]:
    """Return the labels of both slabs."""
    reference = load_reference(spec.reference)
    found = [structure_of(each) for each in last["state_of_learning"]["starts"][3:5]]
    for place, atoms in enumerate(found):
        atoms.info = {"group": "slabs", "place": place}
    return sorted(reference.label(found, engine.tasks, lane=engine.lane("label")), key=lambda frame: frame.place)


def judged(
    potential: Path, frames: Sequence[LabelledFrame], ends: Sequence[LabelledFrame], n_atoms: int
) -> dict[str, Any]:
    """Return the errors of one potential."""
    calculator = load_potential(potential).calculator()
    energies, squares, n = [], 0.0, 0
    for frame in [*frames, *ends]:
        atoms = Atoms(list(frame.symbols), positions=frame.positions, cell=frame.cell, pbc=True)
        atoms.calc = calculator
        energies.append(float(atoms.get_potential_energy()) - frame.energy)
        if len(energies) <= len(frames):
            squares += float(((atoms.get_forces() - frame.forces) ** 2).sum())
            n += frame.forces.size
    found = np.array(energies)
    errors = (found[:-2] - found[-2] - found[-1]) / n_atoms
    error = reaction_energy_error(errors, [frame.group for frame in frames])
    if error is None:
        raise SystemExit("found fewer than three runs that were held out, expected more: raise --labels")
    return {
        "energy_mev_atom": [1000 * float(each) for each in (error.value or 0.0, error.low, error.high)],
        "force_mev_a": 1000 * float(np.sqrt(squares / n)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--spec", default="s8_li3ps4", help="name or path of a campaign about an interface")
    parser.add_argument("--labels", type=int, default=330, help="calls of the reference of each arm, seeds included")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, required=True, help="folder of the campaigns and of the table")
    options = parser.parse_args()
    base = load_campaign(options.spec)
    if not isinstance(base, InterfaceCampaignSpec):
        raise SystemExit(f"--spec: found a campaign about a {base.question}, expected one about an interface")
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in options.seeds:
        specs = {arm: spec_of(base, arm, seed, options.labels) for arm in ARMS}
        rounds = {arm: learn(spec, options.out / f"{arm}-{seed}") for arm, spec in specs.items()}
        frames = [frame for arm in ARMS for frame in held_out(options.out / f"{arm}-{seed}", rounds[arm][-1])]
        with Engine(options.out / "judge") as engine:
            ends = slabs(base, rounds["committee"][-1], engine)
        start = structure_of(rounds["committee"][-1]["state_of_learning"]["starts"][0])
        n_atoms = InterfaceReaction(base).n_interface_atoms(start)
        for arm in ARMS:
            for each in rounds[arm]:
                place = CampaignFolder(options.out / f"{arm}-{seed}").path / each["potential"]["path"]
                row = {"arm": arm, "seed": seed, "round": each["number"], "labels": each["labels"]["n_total"]}
                rows.append(row | {"n_frames": len(frames)} | judged(place, frames, ends, n_atoms))
                print(json.dumps(rows[-1]), flush=True)
                (options.out / "rows.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
