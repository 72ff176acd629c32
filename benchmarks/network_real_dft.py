"""NequIP on published DFT frames of a lithium thiophosphate: force error on unseen frames, and the CPU time it took.

``python benchmarks/network_real_dft.py --lips FILE.extxyz --folder FOLDER`` trains on 100 of the 194 frames, drawn with
seed 0 (the first five of them validate, 95 train), measures the other 94 once, and prints one row. It takes some twelve
CPU minutes on one thread; the same command goes on where a killed one stopped. ``FOLDER`` then holds the potential and
the learning curve.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.tables import aligned

__all__ = ["main"]

_N_TRAIN, _N_VALIDATION = 100, 5
_RECIPE = {
    "description": "Li27P12S44 from 100 DFT frames",
    "family": "nequip",
    "elements": ["Li", "P", "S"],
    "cutoff": 5.0,
    "layers": 3,
    "l_max": 1,
    "features": 16,
    "radial_width": 32,
    "training": {"epochs": 500, "batch_size": 5, "learning_rate": 0.01, "compile": True},
    "domain": {"temperature_k": [300, 600], "references": ["doi:10.1038/s41467-022-29939-5"], "licence": "MIT"},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(tempfile.gettempdir()) / "mlip-sse-benchmarks" / "network_real_dft"
    parser.add_argument("--lips", type=Path, required=True, help="lips_devset_194.extxyz")
    parser.add_argument("--folder", type=Path, default=folder, help="checkpoints and potential (%(default)s)")
    parser.add_argument("--epochs", type=int, default=500, help="of the schedule (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    measured = _measure(options)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    heads = ["train/validation/test", "epochs", "CPU s", "energy MAE meV/atom", "force MAE meV/Å", "RMSE"]
    errors = measured["errors"]
    row = [
        f"{_N_TRAIN - _N_VALIDATION}/{_N_VALIDATION}/{errors['n_frames']}",
        str(options.epochs),
        f"{measured['cpu_s']:.0f}",
        f"{1e3 * errors['energy_ev_atom']['mae']:.2f}",
        f"{1e3 * errors['force_ev_a']['mae']:.1f}",
        f"{1e3 * errors['force_ev_a']['rmse']:.1f}",
    ]
    print("\n".join(aligned([heads, row])))
    return 0


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from mlip_sse.dataset import Fingerprint, read_extxyz
    from mlip_sse.potentials.model_errors import model_errors
    from mlip_sse.potentials.nequip.potential import NequipPotential
    from mlip_sse.potentials.nequip.specs import NequipSpec

    plain = json.loads(json.dumps(_RECIPE))
    plain["training"]["epochs"] = options.epochs
    recipe = NequipSpec.parse(plain)
    frames = read_extxyz(options.lips, Fingerprint.declared("PBE, as published"), groups="frame")
    order = np.random.default_rng(0).permutation(len(frames))
    drawn = [frames[at] for at in order]
    validation, train, test = drawn[:_N_VALIDATION], drawn[_N_VALIDATION:_N_TRAIN], drawn[_N_TRAIN:]

    def say(share: float, line: str) -> None:
        print(f"{100 * share:5.1f} % {line}", file=sys.stderr, flush=True)

    before = time.process_time()
    potential = NequipPotential.fit(recipe, train, validation, options.folder / "work", progress=say)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = time.process_time() - before + children.ru_utime + children.ru_stime
    errors = model_errors(potential, test)
    potential.with_card(errors={"test": errors}).save(options.folder / "potential")
    return {"cpu_s": cpu_s, "errors": errors}


if __name__ == "__main__":
    sys.exit(main())
