"""POD on published DFT frames: a lithium thiophosphate (PBE, one trajectory, shuffled) and metallic lithium.

``python benchmarks/pod_real_dft.py --lips FILE.extxyz --lithium FOLDER`` fits both and prints the errors on frames that
neither chose nor fitted anything. Of the 194 thiophosphate frames the first 100 are training, every sixth of these
chooses the penalty, and the other 94 are test. Lithium comes with its own test file; 30 training frames in a seeded
order choose the penalty. The shear strains of its two-atom cells carry stresses that contradict their energies, so that
the stress of these frames is left out; energies and forces stay.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.tables import aligned

__all__ = ["main"]

_SHEARED = ("mode 4", "mode 5", "mode 6")
_LITHIUM = {
    "description": "metallic lithium",
    "family": "pod",
    "cutoff": 6.0,
    "two_body": 8,
    "three_body": {"radial": 7, "angular": 5},
    "four_body": {"radial": 4, "angular": 3},
    "domain": {"temperature_k": [1, 1000], "references": ["benchmark"], "licence": "MIT"},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lips", type=Path, help="lips_devset_194.extxyz")
    parser.add_argument("--lithium", type=Path, help="folder with training.json and test.json")
    parser.add_argument("--recipe", default="pod_sulfide_accurate", help="settings for the thiophosphate (%(default)s)")
    parser.add_argument("--committee", type=int, default=4, help="members of the committee (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    measured = []
    if options.lips:
        measured.append(_fit("Li27P12S44", options, *_thiophosphate(options)))
    if options.lithium:
        measured.append(_fit("Li", options, *_lithium(options.lithium)))
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print("\n".join(_table(measured)))
    return 0


def _thiophosphate(options: argparse.Namespace) -> tuple[Any, list[Any], list[Any], list[Any]]:
    from mlip_sse.dataset import Fingerprint, read_extxyz
    from mlip_sse.specs import load_spec

    frames = read_extxyz(options.lips, Fingerprint.declared("PBE"), groups="frame")
    first = frames[:100]
    train = [frame for number, frame in enumerate(first) if number % 6 != 5]
    return load_spec(options.recipe, "potential"), train, first[5::6], frames[100:]


def _lithium(folder: Path) -> tuple[Any, list[Any], list[Any], list[Any]]:
    from mlip_sse.dataset import Fingerprint
    from mlip_sse.dataset.from_maml import read_maml_json
    from mlip_sse.potentials.pod.specs import PodSpec

    stated = Fingerprint.declared("PBE")
    training, test = (
        [
            replace(frame, stress=None) if frame.group.endswith(_SHEARED) else frame
            for frame in read_maml_json(folder / name, stated)
        ]
        for name in ("training.json", "test.json")
    )
    order = np.random.default_rng(0).permutation(len(training))
    validation = [training[number] for number in order[:30]]
    return PodSpec.parse(_LITHIUM), [training[number] for number in order[30:]], validation, test


def _fit(
    name: str, options: argparse.Namespace, recipe: Any, train: list[Any], validation: list[Any], test: list[Any]
) -> dict[str, Any]:
    from mlip_sse.potentials.model_errors import model_errors
    from mlip_sse.potentials.pod.potential import PodPotential

    recipe = recipe.model_copy(update={"committee": options.committee})
    cpu, wall = time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        potential = PodPotential.fit(recipe, train, validation, Path(work))
    spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    sets = {"train": train[::4], "validation": validation, "test": test}
    return {
        "name": name,
        "n_frames": [len(train), len(validation), len(test)],
        "n_coefficients": len(potential.coefficients),
        "penalty": potential.card.data["penalty"],
        **spent,
        "errors": {which: model_errors(potential, frames) for which, frames in sets.items()},
    }


def _table(measured: list[dict[str, Any]]) -> list[str]:
    head = ["", "train/validation/test", "coefficients", "CPU s", "energy MAE meV/atom", "force MAE meV/Å", "RMSE"]
    rows = [[*head, "stress MAE GPa"]]
    for found in measured:
        test = found["errors"]["test"]
        stress = test["stress_gpa"]
        rows.append(
            [
                found["name"],
                "/".join(map(str, found["n_frames"])),
                str(found["n_coefficients"]),
                f"{found['cpu_s']:.0f}",
                f"{1e3 * test['energy_ev_atom']['mae']:.2f}",
                f"{1e3 * test['force_ev_a']['mae']:.1f}",
                f"{1e3 * test['force_ev_a']['rmse']:.1f}",
                f"{stress['mae']:.3f}" if stress else "none",
            ]
        )
    return aligned(rows)


if __name__ == "__main__":
    sys.exit(main())
