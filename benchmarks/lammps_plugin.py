"""NequIP and Allegro in LAMMPS: the compiled pair styles beside nequip's own ASE calculator, step by step.

``python benchmarks/lammps_plugin.py`` makes both networks (random weights: the time does not know them), compiles them
for LAMMPS and the pair styles themselves, unless an earlier call left them in the folder, and prints a table.
Everything runs on one thread; the ways take turns over several rounds, and the least of the rounds counts, because
another job on the machine can only add. It needs ``lammps[mpi]``, ``nequip``, ``nequip-allegro`` and a C++ compiler.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.tables import aligned

__all__ = ["main"]

NAMES = ("Li", "P", "S", "Cl")
MASSES = (6.94, 30.974, 32.06, 35.45)
CUTOFF = 5.0
STYLES = ("nequip", "allegro")
_THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
_MARK = "share-of-model"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(tempfile.gettempdir()) / "mlip-sse-benchmarks"
    parser.add_argument(
        "--folder", type=Path, default=folder, help="where the compiled networks are kept (%(default)s)"
    )
    parser.add_argument("--steps", type=int, default=20, help="steps in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    parser.add_argument("--make", choices=STYLES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.make:
        _compile_network(options.make, _model_path(options.folder, options.make))
        return 0
    if any(os.environ.get(name) != value for name, value in _THREADS.items()):
        # Thread pools read these once, at their import.
        command = [sys.executable, __file__, *(sys.argv[1:] if arguments is None else arguments)]
        return subprocess.run(command, env={**os.environ, **_THREADS}, check=False).returncode
    measured = _measure(options)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1))
    print(_table(measured))
    return 0


def _measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    from mlip_sse.potentials.lammps_plugin.build import build_plugin

    built = build_plugin()
    os.environ["LAMMPS_PLUGIN_PATH"] = str(built.folder)
    rows = []
    for style in STYLES:
        path = _model_path(options.folder, style)
        if not path.is_file():
            command = [sys.executable, __file__, "--make", style, "--folder", str(options.folder)]
            subprocess.run(command, env={**os.environ, **_THREADS}, check=True, capture_output=True)
        for repeats in ((1, 1, 1), (2, 2, 2)):
            rows.append(_compare(style, path, _argyrodite(repeats), options))
            print(f"{style}, {rows[-1]['n_atoms']} atoms: measured", file=sys.stderr, flush=True)
    return rows


def _compare(style: str, path: Path, atoms: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all ways in turn on one structure."""
    from nequip.integrations.ase import NequIPCalculator

    model = _network(style)
    eager = NequIPCalculator(model=model, device="cpu", transforms=_transforms(model))
    plugin, external = _PairStyle(style, path, atoms), _External(eager, atoms)
    forces = atoms.copy()
    forces.calc = eager
    deviation = float(np.abs(forces.get_forces() - plugin.forces()).max())
    ways: dict[str, Callable[[int], dict[str, float]]] = {
        "eager": lambda n: _ase_steps(eager, atoms, n),
        "external": external.steps,
        "plugin": plugin.steps,
        "program": lambda n: _program_steps(style, path, atoms, 1, n),
    }
    if style == "allegro":
        ways["ranks"] = lambda n: _program_steps(style, path, atoms, 2, n)
    for way in ways.values():
        way(2)  # not counted
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            found[name].append(way(options.steps))
    return {"style": style, "n_atoms": len(atoms), "max_force_deviation": deviation, "rounds": found}


class _PairStyle:
    """LAMMPS of this process with the pair style."""

    def __init__(self, style: str, path: Path, atoms: Any) -> None:
        from mlip_sse.potentials.contract import LammpsInput
        from mlip_sse.potentials.lammps_calculator import LammpsCalculator

        commands = (f"pair_style {style}", f"pair_coeff * * {path} {' '.join(NAMES)}")
        self.atoms = atoms.copy()
        self.atoms.calc = LammpsCalculator(LammpsInput(NAMES, MASSES, None, commands))
        self.atoms.get_forces()
        self.engine = self.atoms.calc._engine
        self.engine.commands_list(_dynamics(style))

    def forces(self) -> Any:
        return self.atoms.get_forces()

    def steps(self, n_steps: int) -> dict[str, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        self.engine.command(f"run {n_steps}")
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        inside, whole, _ = self.engine.numpy.extract_compute("time", 0, 1)[:3]
        n = n_steps + 1  # the run evaluates its first positions too
        return {"cpu_ms": 1e3 * cpu / n, "wall_ms": 1e3 * wall / n, "overhead": whole / inside - 1}


class _External:
    """LAMMPS of this process that asks the calculator."""

    def __init__(self, calculator: Any, atoms: Any) -> None:
        from mlip_sse.potentials.contract import LammpsInput
        from mlip_sse.potentials.lammps_data import data_text
        from mlip_sse.potentials.lammps_install import open_library
        from mlip_sse.potentials.lammps_plugin.external_force import attach_external_force

        self.engine = open_library()
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "structure.data"
            data.write_text(data_text(atoms, LammpsInput(NAMES, MASSES, None, ())))
            self.engine.commands_list(["units metal", "atom_style atomic", "box tilt large", f"read_data {data}"])
        self.force = attach_external_force(self.engine, calculator, NAMES)
        self.engine.commands_list(_dynamics(None))

    def steps(self, n_steps: int) -> dict[str, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        self.engine.command(f"run {n_steps}")
        self.force.raise_failure()
        n = n_steps + 1
        return {"cpu_ms": 1e3 * (time.process_time() - cpu) / n, "wall_ms": 1e3 * (time.perf_counter() - wall) / n}


def _ase_steps(calculator: Any, atoms: Any, n_steps: int) -> dict[str, float]:
    """Move the atoms as ASE's dynamics would, by its own loop."""
    from ase import units
    from ase.md.verlet import VelocityVerlet

    moving = atoms.copy()
    moving.calc = calculator
    moving.get_forces()
    dynamics = VelocityVerlet(moving, 0.1 * units.fs)
    cpu, wall = time.process_time(), time.perf_counter()
    dynamics.run(n_steps)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu_ms": 1e3 * cpu / n_steps, "wall_ms": 1e3 * wall / n_steps}


def _program_steps(style: str, path: Path, atoms: Any, ranks: int, n_steps: int) -> dict[str, float]:
    """Run the program; LAMMPS says what a step took, the pair style what a rank's processor spent in the model."""
    from mlip_sse.potentials.contract import LammpsInput
    from mlip_sse.potentials.lammps_data import data_text
    from mlip_sse.potentials.lammps_install import find_executable

    deck = ["units metal", "newton on", "atom_style atomic", "box tilt large", "read_data structure.data"]
    deck += [f"pair_style {style}", f"pair_coeff * * {path} {' '.join(NAMES)}", *_dynamics(style)]
    deck += ["run 2", f"run {n_steps}", f'print "{_MARK} $(c_time[3])"']
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "structure.data").write_text(data_text(atoms, LammpsInput(NAMES, MASSES, None, ())))
        (Path(folder) / "in.lammps").write_text("\n".join(deck) + "\n")
        mpirun = [str(Path(sys.executable).parent / "mpirun"), "-np", str(ranks)] if ranks > 1 else []
        command = [*mpirun, str(find_executable()), "-in", "in.lammps", "-log", "none", "-nocite"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    loops = [line.split() for line in done.stdout.splitlines() if line.startswith("Loop time of")]
    shares = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith(_MARK)]
    return {"wall_ms": 1e3 * float(loops[-1][3]) / n_steps, "model_ms": 1e3 * shares[-1] / ranks / (n_steps + 1)}


def _dynamics(style: str | None) -> list[str]:
    times = (
        [] if style is None else [f"compute time all pair {style}", "thermo_style custom step pe c_time[1] c_time[2]"]
    )
    return ["velocity all create 300 1", "fix move all nve", "timestep 0.0001", *times, "thermo 20"]


def _argyrodite(repeats: tuple[int, int, int]) -> Any:
    """Return rattled Li6PS5Cl, 52 atoms in a cell."""
    from ase.spacegroup import crystal

    sites = [(0.02, 0.25, 0.25), (0, 0, 0.5), (0.1195, 0.1195, 0.6195), (0.25, 0.25, 0.25), (0, 0, 0)]
    atoms = crystal(["Li", "P", "S", "S", "Cl"], sites, spacegroup=216, cellpar=[9.86] * 3 + [90] * 3)
    atoms.rattle(0.02, seed=1)
    plain = atoms.repeat(repeats)
    plain.info.clear()
    return plain


def _model_path(folder: Path, style: str) -> Path:
    from importlib.metadata import version

    versions = "-".join(version(package) for package in ("torch", "nequip", "nequip-allegro"))
    return folder / f"{style}-{versions}.nequip.pt2"


def _network(style: str) -> Any:
    """Return a network of the size that trains on a laptop: 25,000 weights, l = 1, 5 Å."""
    import torch
    from nequip.utils.global_state import set_global_state

    torch.set_num_threads(1)
    set_global_state()
    shared = {
        "seed": 1,
        "model_dtype": "float32",
        "type_names": list(NAMES),
        "r_max": CUTOFF,
        "avg_num_neighbors": 25.0,
        "per_type_energy_scales": 1.0,
        "per_type_energy_shifts": dict.fromkeys(NAMES, -1.0),
        "l_max": 1,
        "pair_potential": {
            "_target_": "nequip.nn.pair_potential.ZBL",
            "units": "metal",
            "chemical_species": list(NAMES),
        },
    }
    if style == "nequip":
        from nequip.model import NequIPGNNModel

        sizes = {"num_layers": 3, "num_features": 16, "radial_mlp_depth": 1, "radial_mlp_width": 32, "parity": False}
        return NequIPGNNModel(**sizes, **shared).eval()
    from allegro.model import AllegroModel

    layers = {f"{name}_hidden_layers_depth": 1 for name in ("scalar_embed_mlp", "allegro_mlp", "readout_mlp")}
    widths = {"scalar_embed_mlp_hidden_layers_width": 32, "allegro_mlp_hidden_layers_width": 32}
    return AllegroModel(
        num_layers=2,
        num_scalar_features=32,
        num_tensor_features=8,
        parity=True,
        radial_chemical_embed={"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 8},
        radial_chemical_embed_dim=16,
        readout_mlp_hidden_layers_width=16,
        **layers,
        **widths,
        **shared,
    ).eval()


def _transforms(model: Any) -> list[Any]:
    from nequip.integrations.utils import basic_transforms

    return list(basic_transforms(model.metadata, CUTOFF, list(NAMES), {name: name for name in NAMES}))


def _compile_network(style: str, path: Path) -> None:
    """Do what `nequip-compile` does, without a checkpoint to start from."""
    from importlib import import_module

    import torch
    from nequip.data import from_ase
    from nequip.scripts._compile_utils import COMPILE_TARGET_DICT
    from nequip.utils.aot import aot_export_model
    from nequip.utils.global_state import get_latest_global_state

    import_module("allegro._compile")  # registers its target
    model, target = _network(style), COMPILE_TARGET_DICT[f"pair_{style}"]
    data = from_ase(_argyrodite((1, 1, 1)))
    for transform in _transforms(model):
        data = transform(data)
    words = {**model.metadata, **get_latest_global_state(only_metadata_related=True)}
    words = {key: str(int(value)) if isinstance(value, bool) else str(value) for key, value in words.items()}
    words |= {f"nequip_aoti_{kind}s": " ".join(target[kind]) for kind in ("input", "output")}
    sizes = {"graph": torch.export.Dim.STATIC}
    sizes |= {name: torch.export.Dim(f"num_{name}s", min=2, max=torch.inf) for name in ("node", "edge")}
    partial = path.with_name(f"partial-{os.getpid()}-{path.name}")
    inputs, outputs = target["input"], target["output"]
    settings = {"aot_inductor.metadata": words}
    aot_export_model(model, "cpu", inputs, outputs, target["data_settings"](data), sizes, str(partial), settings)
    os.replace(partial, path)


def _table(rows: list[dict[str, Any]]) -> str:
    header = ["", "eager ASE, CPU ms", "fix external", "pair style", "faster by", "overhead", "max ΔF eV/Å"]
    header += ["lmp, wall ms", "2 ranks", "faster by", "CPU of the model by"]
    lines = [header]
    for row in rows:
        least = {
            way: {name: min(each[name] for each in rounds) for name in rounds[0]}
            for way, rounds in row["rounds"].items()
        }
        eager, plugin = least["eager"]["cpu_ms"], least["plugin"]["cpu_ms"]
        cells = [f"{row['style']}, {row['n_atoms']} atoms", f"{eager:.1f}", f"{least['external']['cpu_ms']:.1f}"]
        cells += [f"{plugin:.1f}", f"{eager / plugin:.1f}", f"{100 * least['plugin']['overhead']:.1f} %"]
        cells += [f"{row['max_force_deviation']:.0e}", f"{least['program']['wall_ms']:.1f}"]
        if "ranks" in least:
            one, two = least["program"], least["ranks"]
            cells += [f"{two['wall_ms']:.1f}", f"{one['wall_ms'] / two['wall_ms']:.2f}"]
            cells += [f"{one['model_ms'] / two['model_ms']:.2f}"]
        else:
            cells += ["", "", ""]
        lines.append(cells)
    return "\n".join(aligned(lines))


if __name__ == "__main__":
    sys.exit(main())
