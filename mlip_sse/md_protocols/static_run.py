"""Run a protocol without time into a folder: `result.json` and the relaxed structure, put in place in one go."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlip_sse.analysis.results import to_json
from mlip_sse.errors import RunError, SpecError
from mlip_sse.md_protocols.elastic_constants import elastic_scan
from mlip_sse.md_protocols.elastic_specs import ElasticSpec
from mlip_sse.md_protocols.equation_of_state import equation_of_state
from mlip_sse.md_protocols.protocol_spec import ProtocolSpec
from mlip_sse.md_protocols.quasi_harmonic import quasi_harmonic_scan
from mlip_sse.md_protocols.quasi_harmonic_specs import QuasiHarmonicSpec
from mlip_sse.md_protocols.relaxation import Relaxation, relax_atoms
from mlip_sse.md_protocols.specs import load_protocol
from mlip_sse.md_protocols.static_specs import EquationOfStateSpec, RelaxSpec, StaticSpec
from mlip_sse.md_protocols.structure import build_structure
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.provenance import Provenance
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["PLOT_FILE", "RELAXED_FILE", "RESULT_FILE", "StaticResult", "run_static"]

RESULT_FILE = "result.json"
RELAXED_FILE = "relaxed.extxyz"
PLOT_FILE = "equation_of_state.png"

_ADVICE = "choose another output folder, or remove this one"


@dataclass(frozen=True)
class StaticResult:
    """What a relaxation, an equation of state or elastic constants came to.

    Parameters
    ----------
    folder
        Where its files lie.
    data
        Plain data, as `result.json` holds it: the figures, ``quality`` and ``reasons``.
    reused
        It had been found by an earlier call.
    """

    folder: str
    data: dict[str, Any] = field(repr=False)
    reused: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether there is no answer."""
        return bool(self.data["quality"] == "refused")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        return {"folder": self.folder, "reused": self.reused, **self.data}


def run_static(
    protocol: ProtocolSpec | str | Path,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> StaticResult:
    """Run a relaxation, an equation of state or elastic constants into a folder, or return what lies there already.

    Parameters
    ----------
    protocol
        A spec, a name in `md_protocols/`, or the path of a YAML file.
    folder
        Where the result goes.
    potential
        Another potential than the one the protocol names.
    progress
        Called with a line that says how far it is.

    Raises
    ------
    SpecError
        When the protocol is wrong, or is molecular dynamics.
    InputError
        When the structure cannot be read, its atoms overlap, or the potential does not know an element.
    RunError
        When the potential fails at the start, or the folder holds results of other inputs.
    """
    spec = load_protocol(protocol) if isinstance(protocol, str | Path) else protocol
    if not isinstance(spec, RelaxSpec | EquationOfStateSpec | ElasticSpec | QuasiHarmonicSpec):
        wanted = "a relaxation, an equation of state, elastic constants or quasi_harmonic"
        raise SpecError(f"found a {type(spec).__name__}, expected {wanted}")
    chosen = spec.potential if potential is None else potential
    model = chosen if isinstance(chosen, Potential) else load_potential(chosen)
    densities = spec.structure.density_g_cm3
    atoms = build_structure(spec.structure, None if densities is None else densities[0])
    folder = Path(folder)
    digest = _inputs_sha256(spec, model, atoms)
    if (found := _read(folder, digest)) is not None:
        return found
    tell = progress if progress is not None else _say_nothing
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.absolute().parent) as room:
        half = Path(room) / "half"
        half.mkdir()
        if isinstance(spec, RelaxSpec):
            data = _relax(spec, model, atoms, half, tell)
        elif isinstance(spec, ElasticSpec):
            data = _strain(spec, model, atoms, half, tell)
        elif isinstance(spec, QuasiHarmonicSpec):
            data = _vibrate(spec, model, atoms, half, tell)
        else:
            data = _scan(spec, model, atoms, half, tell)
        head = {"protocol": spec.protocol, "potential": model.card.name, "inputs_sha256": digest}
        text = to_json({**head, **data, "provenance": Provenance(settings=spec.model_dump(mode="json"))})
        (half / RESULT_FILE).write_text(text + "\n", encoding="utf-8")
        _put(half, folder)
    return StaticResult(os.fspath(folder), json.loads(text))


def _relax(spec: RelaxSpec, model: Potential, atoms: Atoms, half: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    found = relax_atoms(
        atoms,
        model.calculator(),
        cell=spec.cell,
        optimizer=spec.optimizer,
        fmax=spec.fmax,
        stress_tolerance_gpa=spec.stress_tolerance_gpa,
        pressure_gpa=spec.pressure_gpa,
        max_steps=spec.max_steps,
        progress=lambda step, force: tell(f"step {step}, {force:.3g} eV/Å"),
    )
    _write_structure(found, half / RELAXED_FILE)
    volume = float(found.atoms.get_volume())
    return {
        "n_atoms": len(atoms),
        "energy_ev": found.energy,
        "energy_ev_atom": found.energy / len(atoms),
        "energy_gained_ev_atom": float(found.energies[0] - found.energy) / len(atoms),
        "max_force_ev_a": found.max_force,
        "stress_gpa": found.stress * EV_PER_A3_TO_GPA,
        "n_steps": found.n_steps,
        "cell_a": found.atoms.cell.array,
        "cell_lengths_a": found.atoms.cell.lengths(),
        "cell_angles_deg": found.atoms.cell.angles(),
        "volume_a3_atom": volume / len(atoms),
        "volume_change": volume / float(atoms.get_volume()) - 1,
        "structure": RELAXED_FILE,
        "quality": found.verdict.quality,
        "reasons": found.verdict.reasons,
    }


def _scan(
    spec: EquationOfStateSpec, model: Potential, atoms: Atoms, half: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    found = equation_of_state(
        atoms, model.calculator(), spec, lambda n_done: tell(f"relaxation {n_done} of {spec.n_volumes + 1}")
    )
    if len(found.volumes):
        found.plot().savefig(half / PLOT_FILE, dpi=150)
    return found.to_dict()


def _strain(
    spec: ElasticSpec, model: Potential, atoms: Atoms, half: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    found = elastic_scan(atoms, model.calculator(), spec, lambda n_done, n_all: tell(f"relaxation {n_done} of {n_all}"))
    _write_structure(found.base, half / RELAXED_FILE)
    if found.equation_of_state is not None and len(found.equation_of_state.volumes):
        found.equation_of_state.plot().savefig(half / PLOT_FILE, dpi=150)
    return {"structure": RELAXED_FILE, **found.to_dict()}


def _vibrate(
    spec: QuasiHarmonicSpec, model: Potential, atoms: Atoms, half: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    found = quasi_harmonic_scan(
        atoms, model.calculator(), spec, lambda n_done, n_all: tell(f"volume {n_done} of {n_all}")
    )
    _write_structure(found.base, half / RELAXED_FILE)
    return {"structure": RELAXED_FILE, **found.to_dict()}


def _write_structure(found: Relaxation, path: Path) -> None:
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    atoms = found.atoms.copy()
    atoms.calc = SinglePointCalculator(atoms, energy=found.energy, forces=found.forces, stress=found.stress)
    write(path, atoms, format="extxyz")


def _inputs_sha256(spec: StaticSpec, model: Potential, atoms: Atoms) -> str:
    """Return the hash of all that decides the result: settings, potential, and atoms as they were read."""
    settings = spec.model_dump(mode="json", exclude={"description", "structure", "potential"})
    card = {"family": model.card.family, "name": model.card.name, "sha256": dict(model.card.sha256)}
    digest = hashlib.sha256(json.dumps([settings, card], sort_keys=True).encode())
    digest.update("-".join(atoms.get_chemical_symbols()).encode())
    for array in (atoms.cell.array, atoms.positions):
        digest.update(np.round(array, 8).tobytes())
    return digest.hexdigest()


def _read(folder: Path, digest: str) -> StaticResult | None:
    """Return the result that lies in a folder; None where it does not exist or is empty."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        data = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        same = data["inputs_sha256"] == digest
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{folder} exists but holds no readable {RESULT_FILE}: {_ADVICE}") from error
    if not same:
        raise RunError(f"{folder} holds a result of other inputs (protocol, structure or potential): {_ADVICE}")
    return StaticResult(os.fspath(folder), data, reused=True)


def _put(half: Path, folder: Path) -> None:
    try:
        os.replace(half, folder)
    except OSError as error:
        raise RunError(f"another process has written into {folder} meanwhile: {_ADVICE}") from error


def _say_nothing(line: str) -> None:
    """Take a line of progress that nobody asked for."""
