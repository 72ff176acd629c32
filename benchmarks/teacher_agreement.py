"""Does the potential move ions as its teacher does? Worked campaigns, each with tens of ps of the teacher's dynamics.

    python benchmarks/teacher_agreement.py --specs li6ps5cl li3ps4 lgps --teacher-ps 20 --out FOLDER

Each campaign is run as it ships but for the length of its teacher check, in FOLDER/NAME: the same command goes on where
it was, after any kill. The teacher's runs are in the student's mean cell at the hottest temperature of the answer, two
of half the length each. The table holds D of the student over that of the teacher in windows as long as the teacher's
runs, with the factor that chance allows (95 %), and the pair of elements whose first peak of g(r) is farthest off among
those that the runs place to 0.05 Å.
"""

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlip_sse.campaign.campaign import Campaign
from mlip_sse.campaign.specs import CampaignSpec, load_campaign
from mlip_sse.campaign.teacher_comparison import PEAK_BAR_A

HEAD = (
    "| spec | verdict | labels | T, teacher | D student / teacher | chance | largest peak shift | slope | speed |",
    "|---|---|---|---|---|---|---|---|---|",
)


def answer(name: str, teacher_ps: float, out: Path) -> dict[str, Any]:
    """Run one campaign to its answer."""
    spec = load_campaign(name)
    if not isinstance(spec, CampaignSpec):
        raise SystemExit(f"{name}: found a campaign about a {spec.question}, expected one about a conductivity")
    plain = spec.model_dump(mode="json", exclude_none=True)
    plain["production"]["teacher_ps"] = teacher_ps
    campaign = Campaign(CampaignSpec.parse(plain, name), out / Path(name).stem)
    return campaign.run(lambda document: print(f"{name}: round {document['number']}", flush=True))


def line(name: str, found: Mapping[str, Any]) -> str:
    """Return the row of one campaign."""
    check, labels = found["teacher_check"], found["labels"]
    words = " ".join(check["reasons"])
    ratio = _number_after(words, "D of the student is ")
    peaks = {
        pair: each["peak_shift_a"]
        for pair, each in check["rdf"].items()
        if each["peak_shift_a"] is not None and (each.get("peak_chance_a") or math.inf) <= PEAK_BAR_A
    }
    farthest = max(peaks, key=lambda pair: abs(peaks[pair]), default=None)
    softening, speed = found["softening"], found["speed"]["ratio"]
    slope = "none"
    if softening is not None:
        slope = f"{softening['slope']:.3f} ({softening['low']:.3f} to {softening['high']:.3f})"
    cells = [
        name,
        f"{found['verdict']}, {found['quality']}",
        f"{labels['n_reference_calls']}",
        f"{check['temperature_k']:g} K, {check['duration_ps']:.0f} ps",
        "none" if ratio is None else f"{ratio:.2f}{'' if check['agree'] else ' (contradicts)'}",
        "none" if check["chance_factor"] is None else f"{check['chance_factor']:.2f}",
        "none" if farthest is None else f"{farthest} {peaks[farthest]:+.3f} Å, of {len(peaks)} pairs",
        slope,
        "none" if speed is None else f"{speed:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _number_after(text: str, words: str) -> float | None:
    """Return the number that follows some words; None where they are not there."""
    _, found, rest = text.partition(words)
    return float(rest.split()[0]) if found else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--specs", nargs="+", default=["li6ps5cl", "li3ps4", "lgps"], help="names or paths")
    parser.add_argument("--teacher-ps", type=float, default=20.0, help="MD of the reference, both runs together")
    parser.add_argument("--out", type=Path, required=True, help="folder of the campaigns")
    options = parser.parse_args()
    rows = []
    for name in options.specs:
        found = answer(name, options.teacher_ps, options.out)
        rows.append(line(name, found))
        print(rows[-1], flush=True)
        print(json.dumps({"reasons": found["reasons"], "teacher": found["teacher_check"]["reasons"]}), flush=True)
    print("\n".join([*HEAD, *rows]))


if __name__ == "__main__":
    main()
