"""VASP: inputs of pymatgen's MatPES static set, run in the task's folder, vasprun.xml or else OUTCAR read back."""

import subprocess
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.dataset import Fingerprint, LabelledFrame, read_frames
from mlip_sse.errors import FormatError, InputError, RunError
from mlip_sse.references.backend import Computed, Labeller, require_program, require_success
from mlip_sse.references.specs import VaspSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["fingerprint", "read_vasp_outputs", "require_ready", "start", "vasp_order", "write_vasp_inputs"]

_POTCAR_ADVICE = (
    "found no POTCAR library, expected pymatgen's: set PMG_VASP_PSP_DIR to it in ~/.pmgrc.yaml "
    "(pmg config --add PMG_VASP_PSP_DIR FOLDER)"
)
_SCREEN = "vasp.out"
_SMALL_FILES = {"LCHARG": False, "LAECHG": False, "LWAVE": False, "LORBIT": None}


def require_ready(spec: VaspSpec) -> None:
    """Refuse where VASP or pymatgen's POTCAR library is missing."""
    require_program(spec.command)
    _require_library()


def fingerprint(spec: VaspSpec) -> Fingerprint:
    """State what is known before the run; version, POTCARs and all tags follow from vasprun.xml."""
    return Fingerprint(
        method="dft",
        code="vasp",
        functional=spec.functional,
        cutoff_ev=spec.cutoff_ev,
        k_spacing_inv_a=spec.k_spacing_inv_a,
        settings={"potcars": spec.potcar_functional, **dict(sorted(spec.incar.items()))},
    )


def write_vasp_inputs(spec: VaspSpec, atoms: "Atoms", folder: str | Path) -> Path:
    """Write INCAR, POSCAR and POTCAR for one structure; the atoms are sorted by `vasp_order`.

    Raises
    ------
    InputError
        When the POTCAR library is not configured, or lacks an element.
    """
    _require_library()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen doubts other POTCAR functionals than its own; the spec states ours
        inputs = _input_set(spec, atoms[vasp_order(atoms)])
        try:
            potcar = inputs.potcar
        except (ValueError, OSError, KeyError) as error:
            raise InputError(
                f"found no POTCAR of {spec.potcar_functional} for {', '.join(inputs.potcar_symbols)} in "
                f"PMG_VASP_PSP_DIR ({' '.join(str(error).split())[:120]}), expected one for each element"
            ) from error
        inputs.incar.write_file(folder / "INCAR")
        inputs.poscar.write_file(folder / "POSCAR", significant_figures=16)
        potcar.write_file(folder / "POTCAR")
    return folder


def read_vasp_outputs(folder: str | Path, atoms: "Atoms") -> LabelledFrame:
    """Read the label of a structure whose inputs `write_vasp_inputs` wrote, its atoms in the structure's own order.

    vasprun.xml is read, or OUTCAR where it is missing or damaged.

    Raises
    ------
    InputError
        When the electrons did not converge, or the files belong to another structure.
    FormatError
        When neither file can be read.
    """
    folder = Path(folder)
    try:
        frames = read_frames(folder / "vasprun.xml")
    except FormatError as error:
        if not (folder / "OUTCAR").is_file():
            raise
        try:
            frames = read_frames(folder / "OUTCAR")
        except FormatError as second:
            raise FormatError(f"{error}; and {second}") from second
    frame, order = frames[-1], vasp_order(atoms)
    wanted = [atoms.get_chemical_symbols()[at] for at in order]
    fractional = frame.positions @ np.linalg.inv(frame.cell) - atoms[order].get_scaled_positions(wrap=False)
    moved = np.abs(fractional - np.round(fractional)).max() if list(frame.symbols) == wanted else np.inf
    if moved > 1e-4 or np.abs(frame.cell - atoms.cell.array).max() > 1e-3:
        raise InputError(f"{folder}: VASP's output is of another structure, expected {atoms.get_chemical_formula()}")
    back = np.argsort(order)
    return LabelledFrame(
        symbols=tuple(atoms.get_chemical_symbols()),
        cell=atoms.cell.array,
        positions=atoms.positions,
        energy=frame.energy,
        forces=frame.forces[back],
        stress=frame.stress,
        fingerprint=frame.fingerprint,
    )


def vasp_order(atoms: "Atoms") -> list[int]:
    """Return the order that puts atoms of one element together, elements in the order they first appear."""
    symbols = atoms.get_chemical_symbols()
    first = {symbol: symbols.index(symbol) for symbol in set(symbols)}
    return sorted(range(len(symbols)), key=lambda at: (first[symbols[at]], at))


def start(spec: VaspSpec) -> Labeller:
    """Return a labeller that starts VASP once a structure."""

    def label(atoms: "Atoms", folder: Path) -> Computed:
        write_vasp_inputs(spec, atoms, folder)
        with open(folder / _SCREEN, "wb") as screen:
            try:
                done = subprocess.run(
                    spec.command.split(),
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=screen,
                    stderr=screen,
                    check=False,
                )
            except OSError as error:
                raise RunError(f"{spec.command} cannot be started: {error.strerror}") from error
        require_success(done.returncode, "VASP", folder / _SCREEN)
        frame = read_vasp_outputs(folder, atoms)
        return Computed(frame.energy, frame.forces, frame.stress, frame.fingerprint)

    return label


def _input_set(spec: VaspSpec, atoms: "Atoms") -> Any:
    from pymatgen.core import Structure
    from pymatgen.io.vasp.sets import MatPESStaticSet

    symbols, positions = atoms.get_chemical_symbols(), atoms.positions
    structure = Structure(atoms.cell.array, symbols, positions, coords_are_cartesian=True)
    tags = {**_SMALL_FILES, "ENCUT": spec.cutoff_ev, "KSPACING": spec.k_spacing_inv_a, **spec.incar}
    return MatPESStaticSet(
        structure,
        xc_functional=spec.functional,
        user_incar_settings=tags,
        user_potcar_functional=spec.potcar_functional,
        sort_structure=False,
    )


def _require_library() -> None:
    import os

    from pymatgen.core import SETTINGS

    folder = SETTINGS.get("PMG_VASP_PSP_DIR") or os.environ.get("PMG_VASP_PSP_DIR")
    if not folder:
        raise InputError(_POTCAR_ADVICE)
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: found no such folder, expected the POTCAR library that PMG_VASP_PSP_DIR names")
