"""Two experts made one: Li2S and Li3PS4 joined by adding their equations, and measured on Li7P3S11, unseen by both.

``python benchmarks/combine.py --folder FOLDER`` makes the frames (CHGNet labels, some minutes; what is there is not
made again), fits both experts with the settings of a recipe, joins them, fits the union of the frames for comparison,
and prints force errors. The last part of each trajectory is test, the part before it chooses the penalty; all Li7P3S11
frames are test.
"""

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.tables import aligned

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
SETS = {
    "Li2S": HERE / "pod_data" / "li2s.yaml",
    "Li3PS4": HERE / "pod_data" / "li3ps4.yaml",
    "Li7P3S11": HERE / "pod_data" / "li7p3s11.yaml",
}
EXPERTS = ("Li2S", "Li3PS4")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make, fit, join, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(tempfile.gettempdir()) / "mlip-sse-benchmarks" / "combine"
    parser.add_argument("--folder", type=Path, default=folder, help="where the frames are kept (%(default)s)")
    parser.add_argument("--recipe", default="pod_sulfide_fast", help="settings of both experts (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    measured = _measure(options)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(_table(measured))
    return 0


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from mlip_sse.potentials.model_errors import model_errors
    from mlip_sse.potentials.pod.combination import combine
    from mlip_sse.potentials.pod.potential import PodPotential

    frames = {name: _frames(path, options.folder / name.lower()) for name, path in SETS.items()}
    splits = {name: _split(frames[name]) for name in EXPERTS}
    recipe = _settings(options.recipe)

    def fit(train: list[Any], validation: list[Any], name: str) -> Any:
        elements = sorted({symbol for frame in train for symbol in frame.symbols})
        settings = recipe.model_copy(update={"elements": tuple(elements)})
        with tempfile.TemporaryDirectory() as work:
            print(f"fitting {name}: {len(train)} frames", file=sys.stderr, flush=True)
            return PodPotential.fit(settings, train, validation, Path(work)).with_card(name=name)

    potentials = {name: fit(list(splits[name].train), list(splits[name].validation), name) for name in EXPERTS}
    potentials["combined"] = combine([potentials[name] for name in EXPERTS], name="combined")
    union = [[frame for name in EXPERTS for frame in getattr(splits[name], part)] for part in ("train", "validation")]
    potentials["union fit"] = fit(union[0], union[1], "union fit")
    tests = {name: list(splits[name].test) if name in splits else frames[name] for name in SETS}
    errors: dict[str, dict[str, Any]] = {}
    for name, potential in potentials.items():
        known = [held for held in SETS if {s for f in tests[held] for s in f.symbols} <= set(potential.elements)]
        errors[name] = {held: model_errors(potential, tests[held]) for held in known}
    return {
        "recipe": options.recipe,
        "splits": {name: split.statement for name, split in splits.items()},
        "penalties": {name: each.card.data["penalty"] for name, each in potentials.items()},
        "errors": errors,
        "combined_against_union": _difference(potentials["combined"], potentials["union fit"], tests["Li7P3S11"]),
    }


def _frames(path: Path, folder: Path) -> list[Any]:
    from mlip_sse.potentials.training_data import TrainingDataSpec, make_training_data
    from mlip_sse.specs import read_yaml

    plain = read_yaml(path)
    spec = TrainingDataSpec.parse(plain.get("data", plain), str(path))
    print(f"frames of {path.parent.name}/{path.name}", file=sys.stderr, flush=True)
    return list(make_training_data(spec, folder))


def _split(frames: list[Any]) -> Any:
    from mlip_sse.dataset import split_by_time

    return split_by_time(frames, validation=0.15, test=0.15)


def _settings(name: str) -> Any:
    from mlip_sse.specs import load_spec

    return load_spec(name, "potential")


def _difference(first: Any, second: Any, frames: list[Any]) -> dict[str, float]:
    """Return how far two potentials are apart, in their equations and in what they predict."""
    equations = [potential.equations for potential in (first, second)]
    scale = float(np.abs(equations[1].gram).max())
    found = {"gram": float(np.abs(equations[0].gram - equations[1].gram).max()) / scale, "force_ev_a": 0.0}
    calculators = [potential.calculator() for potential in (first, second)]
    for frame in frames:
        forces = []
        for calculator in calculators:
            atoms = frame.to_atoms()
            atoms.calc = calculator
            forces.append(atoms.get_forces())
        found["force_ev_a"] = max(found["force_ev_a"], float(np.abs(forces[0] - forces[1]).max()))
    return found


def _table(measured: dict[str, Any]) -> str:
    rows = []
    for name, errors in measured["errors"].items():
        cells = [name]
        for held in SETS:
            found = errors.get(held)
            cells.append(
                f"{1e3 * found['force_ev_a']['rmse']:.1f} / {1e3 * found['energy_ev_atom']['mae']:.2f}"
                if found
                else "knows no P"
            )
        rows.append(cells)
    lines = [*aligned([["force RMSE meV/Å / energy MAE meV/atom on", *SETS], *rows]), ""]
    lines += [f"{name}: {statement}" for name, statement in measured["splits"].items()]
    difference = measured["combined_against_union"]
    lines.append(
        f"combined against union fit: equations {difference['gram']:.1e} of the largest entry, "
        f"forces {difference['force_ev_a']:.1e} eV/Å"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
