"""Does choosing the frames pay? Two arms of one campaign, the same labels and seeds, judged where neither has learnt.

    python benchmarks/active_against_random.py --spec li6ps5cl --labels 220 --seeds 1 2 3 --out FOLDER

For each seed two campaigns learn, one that selects by committee and one that draws at random (`select.strategy`), until
the budget of labels is spent: no decision ends them. Both begin with the same seed frames. What they are judged by was
fixed before any result was seen, at the end of their ramps, 1.2 times the hottest temperature of the answer:

- error: force RMSE on frames of dynamics that the reference runs itself, in a cell 15 % larger than the relaxed one, as
  it is at that temperature; no potential has a part in it;
- alarms: each potential runs from the same start, with the same four seeds, at constant pressure, and is not stopped by
  its bound; counted are looks above its own alarm, and runs that break.

Choosing has won where its mean is lower by more than the larger standard deviation over the seeds. Everything is kept
in FOLDER: the same command goes on where it was.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import write

from mlip_sse.campaign.campaign import Campaign
from mlip_sse.campaign.seeds import number_from, starts_of
from mlip_sse.campaign.specs import CampaignSpec, load_campaign
from mlip_sse.campaign.teacher_md import md_inputs, md_work, read_run
from mlip_sse.dataset import LabelledFrame
from mlip_sse.engine import Engine, Work
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.model_errors import model_errors, predict
from mlip_sse.potentials.training_data.starts import plain_structure, structure_of
from mlip_sse.potentials.whole_folder import folder_digest
from mlip_sse.references import load_reference
from mlip_sse.structures import scale_volume

ARMS = ("committee", "random")
LATER_PS, WARM_UP_PS, EVERY_FS, LARGER = 2.0, 1.5, 100.0, 0.15
N_LATER, N_RUNS, RUN_PS = 2, 4, 12.0
MEASURES = {
    "force_mev_a": "force RMSE on later frames, meV/Å",
    "alarms_percent": "looks above the alarm, %",
    "broken": f"runs that break, of {N_RUNS}",
}


def spec_of(base: CampaignSpec, arm: str, seed: int, labels: int, start: Path) -> CampaignSpec:
    """Return the campaign of one arm; its answer is never looked at, so that labels alone end it."""
    plain = base.model_dump(mode="json", exclude_none=True)
    plain["structure"] = {"file": str(start)}
    plain["seed"] = seed
    plain["select"]["strategy"] = arm
    plain["decide"]["explored_ps"] = 1e9
    plain["budget"] |= {"labels": labels, "rounds": 1000}
    return CampaignSpec.parse(plain, f"{arm}-{seed}")


def learn(spec: CampaignSpec, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Run the rounds of one arm; return its potential and the document of the last round."""
    campaign, last = Campaign(spec, folder), {}
    for last in campaign.rounds():
        print(f"{folder.name}: round {last['number']}, {last['labels']['n_reference_calls']} labels", flush=True)
    return folder / last["potential"]["path"], last


def later_frames(base: CampaignSpec, start: Atoms, engine: Engine) -> list[LabelledFrame]:
    """Return labelled frames of dynamics with the reference at the end of the ramps."""
    reference = load_reference(base.reference)
    larger = scale_volume(start, LARGER)
    inputs = [
        md_inputs(
            reference.identity(),
            larger,
            temperature_k=base.hottest_k,
            duration_ps=LATER_PS,
            timestep_fs=base.explore.timestep_fs,
            every_fs=EVERY_FS,
            warm_up_ps=WARM_UP_PS,
            seed=number_from("later", k),
        )
        for k in range(N_LATER)
    ]
    done = engine.run("label", md_work(reference.spec), inputs, min_success=1.0)
    frames = []
    for k, (outcome, each) in enumerate(zip(done, inputs, strict=True)):
        run = read_run(outcome.folder.path, each, outcome.result())
        for number, place in enumerate(run.positions):
            atoms = larger.copy()
            atoms.set_positions(place)
            atoms.info = {"group": f"later {k}", "place": number}
            frames.append(atoms)
    return list(reference.label(frames, engine.tasks, lane=engine.lane("label")))


def alarms(base: CampaignSpec, potential: Path, start: Atoms, engine: Engine) -> tuple[float, int]:
    """Return the share of looks above the alarm, in percent, and how many of the runs broke."""
    inputs = [
        {
            "kind": "segment",
            "potential": folder_digest(potential),
            "start": plain_structure(start),
            "temperatures_k": [base.hottest_k, base.hottest_k],
            "duration_ps": RUN_PS,
            "timestep_fs": base.explore.timestep_fs,
            "ensemble": "npt",
            "pressure_gpa": 0.0,
            "seed": number_from("alarms", k) % 899_999_999 + 1,
            "look_every_fs": base.explore.look_every_fs,
            "stop_error_ev_a": None,
            "mobile": base.mobile,
            "shell_a": base.select.shell_a,
        }
        for k in range(N_RUNS)
    ]
    work = Work("mlip_sse.md_protocols.exploration.tasks:start", {"potential": str(potential)}, 6 * 3600.0, "alarms")
    results = [outcome.result() for outcome in engine.run("md", work, inputs, min_success=1.0)]
    excess = [value for result in results for value in result["looks"]["excess"]]
    return 100 * sum(value > 1 for value in excess) / len(excess), sum(bool(result["ended"]) for result in results)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return mean ± standard deviation over the seeds for each arm, and who has won."""
    seeds = sorted({row["seed"] for row in rows})
    lines = [
        f"| {rows[0]['labels']} labels, seeds {', '.join(map(str, seeds))} | chosen | at random | |",
        "|---|---|---|---|",
    ]
    for name, words in MEASURES.items():
        found = {arm: [float(row[name]) for row in rows if row["arm"] == arm] for arm in ARMS}
        means = {arm: statistics.mean(values) for arm, values in found.items()}
        spread = max(statistics.stdev(values) if len(values) > 1 else float("inf") for values in found.values())
        gap = means["random"] - means["committee"]
        verdict = "within the spread" if abs(gap) <= spread else ("chosen wins" if gap > 0 else "random wins")
        cells = [
            f"{means[arm]:.1f} ± {statistics.stdev(found[arm]) if len(found[arm]) > 1 else float('nan'):.1f} "
            f"({', '.join(f'{value:.1f}' for value in found[arm])})"
            for arm in ARMS
        ]
        lines.append(f"| {words} | {cells[0]} | {cells[1]} | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--spec", default="li6ps5cl", help="name or path of a campaign about a conductivity")
    parser.add_argument("--labels", type=int, default=220, help="calls of the reference of each arm, seeds included")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, required=True, help="folder of the campaigns and of the table")
    options = parser.parse_args()
    base = load_campaign(options.spec)
    if not isinstance(base, CampaignSpec):
        raise SystemExit(f"--spec: found a campaign about a {base.question}, expected one about a conductivity")
    options.out.mkdir(parents=True, exist_ok=True)
    start = options.out / "start.extxyz"
    if not start.is_file():
        write(start, starts_of(base)[0])
    rows = []
    for seed in options.seeds:
        for arm in ARMS:
            spec = spec_of(base, arm, seed, options.labels, start.resolve())
            potential, last = learn(spec, options.out / f"{arm}-{seed}")
            relaxed = structure_of(last["state_of_learning"]["starts"][0])
            with Engine(options.out / "judge") as engine:
                frames = later_frames(base, relaxed, engine)
                model = load_potential(potential)
                error = model_errors(model, frames, predict(model, frames))["force_ev_a"]["rmse"]
                share, broken = alarms(base, potential, relaxed, engine)
            row = {"arm": arm, "seed": seed, "labels": last["labels"]["n_reference_calls"], "n_frames": len(frames)}
            rows.append(row | {"force_mev_a": 1000 * error, "alarms_percent": share, "broken": broken})
            print(json.dumps(rows[-1]), flush=True)
            (options.out / "rows.json").write_text(json.dumps(rows, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
