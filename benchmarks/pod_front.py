"""Accuracy against speed of POD settings for a class of electrolytes: which settings are worth shipping.

``python benchmarks/pod_front.py sulfides`` (or ``chlorides``, ``oxides``) fits each setting, lets validation frames
choose the penalty, and prints the force error on these with the speed of 350 to 700 atoms in ``lmp``; ``--test``
measures a chosen setting on the frames that nothing was chosen on. ``--plot FILE`` draws the front. CHGNet makes the
frames where the folder does not hold them.

- sulfides: 85, 15 and 30 frames of Li6PS5Cl (52 atoms, ordered, 600 and 1000 K, each strained by 1 %). Energy,
  force and, unless ``--no-virial``, virial rows; no core, so that the numbers compare with those of other codes, but
  for the setting that is shipped.
- chlorides, oxides: what ``pod_data/CLASS.yaml`` says. Each trajectory and each set of rattled frames is cut in time,
  0.6 fitted, 0.2 chooses, 0.2 test; of a trajectory the frame after each cut is left out. Core, virial rows and pairs
  pressed together as by default: what is measured is what ships.
"""

import argparse
import json
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

from benchmarks.pod_speed import lammps_run
from benchmarks.tables import aligned

__all__ = ["SETTINGS", "main", "make_frames"]

_BASE = {
    "description": "benchmark",
    "family": "pod",
    "core": {"style": "none", "prior": 0.0, "pairs": 0},
    "committee": 0,
    "two_body": 8,
    "inner_cutoff": 1.0,
    "inverse_degree": 3,
    "regularisation": [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5],
    "domain": {"temperature_k": [300, 1200], "references": ["benchmark"], "licence": "MIT"},
}


def _bodies(three: tuple[int, int], four: tuple[int, int], **changes: Any) -> dict[str, Any]:
    parts = {"three_body": three, "four_body": four}
    return {**{key: {"radial": n, "angular": degree} for key, (n, degree) in parts.items()}, **changes}


_SULFIDES: dict[str, dict[str, Any]] = {
    "two and three bodies": _bodies((5, 4), (0, 0), two_body=6, inner_cutoff=0.5, inverse_degree=6),
    "three 4x3, four 2x2": _bodies((4, 3), (2, 2)),
    "three 4x3, four 2x2, from 0.5 Å": _bodies((4, 3), (2, 2), inner_cutoff=0.5),
    "three 4x4, four 2x3, 4.5 Å": _bodies((4, 4), (2, 3), cutoff=4.5),
    "three 5x4, four 2x3": _bodies((5, 4), (2, 3)),
    "three 5x4, four 3x3": _bodies((5, 4), (3, 3)),
    "three 6x4, four 3x3, 5.5 Å": _bodies((6, 4), (3, 3), cutoff=5.5),
    "pod_sulfide_fast as shipped": _bodies((5, 4), (2, 3), core={}, regularisation=[1e-7, 1e-6, 1e-5]),
    "pod_campaign as shipped": _bodies(
        (5, 2), (2, 2), cutoff=4.4, two_body=6, bessel_degree=2, core={}, regularisation=1e-5
    ),
}
_AS_SHIPPED: dict[str, Any] = {"core": {}, "regularisation": [1e-7, 1e-6, 1e-5]}
_OTHERS: dict[str, dict[str, Any]] = {
    "two and three bodies": _bodies((5, 4), (0, 0), **_AS_SHIPPED),
    "three 4x3, four 2x2": _bodies((4, 3), (2, 2), **_AS_SHIPPED),
    "three 4x3, four 2x2, from 0.5 Å": _bodies((4, 3), (2, 2), inner_cutoff=0.5, **_AS_SHIPPED),
    "three 4x4, four 2x3, 4.5 Å": _bodies((4, 4), (2, 3), cutoff=4.5, **_AS_SHIPPED),
    "three 5x4, four 2x3": _bodies((5, 4), (2, 3), **_AS_SHIPPED),
    "three 4x3, four 2x2, 6 Å": _bodies((4, 3), (2, 2), cutoff=6.0, **_AS_SHIPPED),
    "three 5x4, four 2x3, 6 Å": _bodies((5, 4), (2, 3), cutoff=6.0, **_AS_SHIPPED),
}
SETTINGS = {"sulfides": _SULFIDES, "chlorides": _OTHERS, "oxides": _OTHERS}
"""Of each class. Radial functions by angular degree; cutoff 5 Å, beginning at 1 Å, where nothing else is said."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(tempfile.gettempdir()) / "mlip-sse-benchmarks" / "pod_front"
    parser.add_argument("material", choices=sorted(SETTINGS), metavar="CLASS", help=", ".join(SETTINGS))
    names = sorted({name for each in SETTINGS.values() for name in each})
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=f"of {'; '.join(names)}; none: all of the class")
    parser.add_argument("--frames", type=Path, help=f"folder of the frames ({folder}/CLASS)")
    parser.add_argument("--test", action="store_true", help="measure on the test frames too")
    parser.add_argument("--no-virial", action="store_true", help="leave the virial rows out, four times as quick")
    parser.add_argument("--steps", type=int, default=100, help="steps of dynamics for the speed (%(default)s)")
    parser.add_argument("--json", type=Path, help="measurements; what is there is not measured again")
    parser.add_argument("--plot", type=Path, help="draw all measurements into this PNG")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    known: dict[str, Any] = {}
    if options.json and options.json.is_file():
        known = json.loads(options.json.read_text(encoding="utf-8"))
    settings = SETTINGS[options.material]
    if unknown := set(options.settings) - set(settings):
        parser.error(f"found {'; '.join(sorted(unknown))}, expected settings of {'; '.join(settings)}")
    frames = _frames(options.material, options.frames or folder / options.material)
    for name in options.settings or settings:
        if name in known and (not options.test or "test" in known[name]):
            continue
        known[name] = _measure(name, frames, options)
        print(f"{name}: measured", file=sys.stderr, flush=True)
        if options.json:
            options.json.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\n".join(_table(known)))
    if options.plot:
        _plot(known, options.plot)
    return 0


def make_frames(folder: Path, seed: int = 0) -> None:
    """Write train.xyz (100 frames) and test.xyz (30), in a random order: CHGNet labels, about three CPU minutes."""
    from ase import units
    from ase.io import write
    from ase.md.langevin import Langevin
    from ase.optimize import FIRE

    from mlip_sse import load_reference
    from mlip_sse.references.backend import label_with_calculator
    from mlip_sse.structures import crystal

    reference = load_reference("chgnet")
    calculator, rng = reference.calculator(), np.random.default_rng(seed)
    start = crystal("li6ps5cl")
    start.info = {}
    start.calc = calculator
    FIRE(start, logfile=None).run(fmax=0.3, steps=60)
    frames = []
    for temperature in (600, 1000):
        atoms = start.copy()
        atoms.calc = calculator
        masses = atoms.get_masses()[:, None]
        atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * np.sqrt(1.6 * units.kB * temperature * masses))
        dynamics = Langevin(
            atoms, 2 * units.fs, temperature_K=temperature, friction=0.002 / units.fs, fixcm=False, rng=rng
        )
        dynamics.run(40)
        for _ in range(65):
            dynamics.run(5)
            strained = atoms.copy()
            noise = rng.normal(0, 0.01, (3, 3))
            strained.set_cell(atoms.cell.array @ (np.eye(3) + (noise + noise.T) / 2), scale_atoms=True)
            frames.append(_labelled(strained, label_with_calculator(strained, calculator, reference.fingerprint)))
    order = rng.permutation(len(frames))
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "test.xyz", [frames[number] for number in order[100:]])
    write(folder / "train.xyz", [frames[number] for number in order[:100]])


def _labelled(atoms: Any, computed: Any) -> Any:
    from ase.calculators.singlepoint import SinglePointCalculator

    made = atoms.copy()
    made.calc = SinglePointCalculator(made, energy=computed.energy, forces=computed.forces, stress=computed.stress)
    return made


def _frames(material: str, folder: Path) -> dict[str, list[Any]]:
    return _sulfide_frames(folder) if material == "sulfides" else _recipe_frames(material, folder)


def _recipe_frames(material: str, folder: Path) -> dict[str, list[Any]]:
    """Make or read the frames of ``pod_data``, and cut each group in time."""
    from mlip_sse.dataset import split_by_time
    from mlip_sse.potentials.training_data import TrainingDataSpec, make_training_data
    from mlip_sse.specs import read_yaml

    recipe = read_yaml(Path(__file__).with_name("pod_data") / f"{material}.yaml")
    frames = list(make_training_data(TrainingDataSpec.parse(recipe), folder))
    parts: dict[str, list[Any]] = {"fit": [], "validation": [], "test": []}
    for is_trajectory, n_gap in ((True, 1), (False, 0)):
        chosen = [frame for frame in frames if (" K" in frame.group) is is_trajectory]
        split = split_by_time(chosen, 0.2, 0.2, n_gap=n_gap)
        for name, found in zip(parts, (split.train, split.validation, split.test), strict=True):
            parts[name] += found
    return parts


def _sulfide_frames(folder: Path) -> dict[str, list[Any]]:
    from mlip_sse.dataset import Fingerprint, read_extxyz

    if not (folder / "train.xyz").is_file():
        make_frames(folder)
    stated = Fingerprint.declared("CHGNet 0.3.0")
    train = read_extxyz(folder / "train.xyz", stated, groups="frame")
    return {
        "fit": list(train[:85]),
        "validation": list(train[85:]),
        "test": list(read_extxyz(folder / "test.xyz", stated, groups="frame")),
    }


def _measure(name: str, frames: dict[str, list[Any]], options: argparse.Namespace) -> dict[str, Any]:
    from mlip_sse.potentials.model_errors import model_errors
    from mlip_sse.potentials.pod.potential import PodPotential
    from mlip_sse.potentials.pod.specs import PodSpec

    weights = {"weights": {"virial": 0.0}} if options.no_virial else {}
    recipe = PodSpec.parse({**_BASE, **SETTINGS[options.material][name], **weights})
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        potential = PodPotential.fit(recipe, frames["fit"], frames["validation"], Path(work))
    spent = time.process_time() - cpu
    large = _repeated(frames["fit"])
    step = lammps_run(potential, large, options.steps, temperature=100.0)
    return {
        "n_coefficients": len(potential.coefficients),
        "penalty": potential.card.data["penalty"],
        "fit_cpu_s": spent,
        "atom_steps_per_s": len(large) / step["cpu_s"],
        "validation": model_errors(potential, frames["validation"]),
        **({"test": model_errors(potential, frames["test"])} if options.test else {}),
    }


def _repeated(frames: list[Any]) -> Any:
    """Repeat the first frame with the most elements along its shortest edge until there are 350 atoms."""
    atoms = max(frames, key=lambda frame: len(set(frame.symbols))).to_atoms()
    while len(atoms) < 350:
        edges = atoms.cell.lengths()
        atoms = atoms.repeat([2 if axis == edges.argmin() else 1 for axis in range(3)])
    return atoms


def _table(known: dict[str, Any]) -> list[str]:
    rows = [
        [
            "settings",
            "coefficients",
            "fit CPU s",
            "atom-steps/s",
            "force RMSE meV/Å",
            "energy MAE meV/atom",
            "test RMSE",
        ]
    ]
    for name, found in sorted(known.items(), key=lambda item: -item[1]["atom_steps_per_s"]):
        errors = found["validation"]
        rows.append(
            [
                name,
                str(found["n_coefficients"]),
                f"{found['fit_cpu_s']:.0f}",
                f"{found['atom_steps_per_s']:,.0f}",
                f"{1e3 * errors['force_ev_a']['rmse']:.1f}",
                f"{1e3 * errors['energy_ev_atom']['mae']:.2f}",
                f"{1e3 * found['test']['force_ev_a']['rmse']:.1f}" if "test" in found else "",
            ]
        )
    return aligned(rows)


def _plot(known: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), dpi=90)
    points = sorted(
        (each["atom_steps_per_s"] / 1e3, 1e3 * each["validation"]["force_ev_a"]["rmse"], name)
        for name, each in known.items()
    )
    axes.plot([x for x, _, _ in points], [y for _, y, _ in points], "o", color="tab:blue")
    for x, y, name in points:
        axes.annotate(name, (x, y), fontsize=7, xytext=(4, 4), textcoords="offset points")
    axes.axvline(20, color="grey", linewidth=0.8, linestyle="--")
    axes.set_xlabel("thousand atom-steps a second and core")
    axes.set_ylabel("force RMSE on validation frames, meV/Å")
    axes.margins(x=0.25, y=0.15)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
