"""Quantum ESPRESSO's pw.x through ASE; a run whose SCF did not converge is refused."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import InputError, RunError
from mlip_sse.references.backend import Computed, Labeller, label_with_calculator, require_program
from mlip_sse.references.k_points import k_mesh
from mlip_sse.references.specs import EspressoSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["espresso_settings", "fingerprint", "require_ready", "start"]

_OUTPUT = "espresso.pwo"


def require_ready(spec: EspressoSpec) -> None:
    """Refuse where pw.x or a pseudopotential's file is missing."""
    require_program(spec.command)
    for element, name in spec.pseudopotentials.items():
        if not (Path(spec.pseudo_dir) / name).is_file():
            raise InputError(
                f"{Path(spec.pseudo_dir) / name}: found no such file, expected {element}'s pseudopotential"
            )


def fingerprint(spec: EspressoSpec) -> Fingerprint:
    """State functional, cutoffs, k-spacing and pseudopotentials; the version follows from the output."""
    return Fingerprint(
        method="dft",
        code="espresso",
        functional=spec.functional or "of the pseudopotentials",
        cutoff_ev=spec.cutoff_ev,
        k_spacing_inv_a=spec.k_spacing_inv_a,
        pseudopotentials=dict(sorted(spec.pseudopotentials.items())),
        settings={
            "density_cutoff_ratio": spec.density_cutoff_ratio,
            "smearing_ev": spec.smearing_ev,
            "scf_convergence_ev": spec.scf_convergence_ev,
        },
    )


def espresso_settings(spec: EspressoSpec, atoms: "Atoms") -> dict[str, Any]:
    """Return the keywords of ASE's calculator for one structure.

    Raises
    ------
    InputError
        When an element has no pseudopotential.
    """
    from ase.units import Ry

    if missing := sorted(set(atoms.get_chemical_symbols()) - set(spec.pseudopotentials)):
        raise InputError(f"found no pseudopotential for {', '.join(missing)}, expected one in pseudopotentials")
    system: dict[str, Any] = {
        "ecutwfc": spec.cutoff_ev / Ry,
        "ecutrho": spec.cutoff_ev * spec.density_cutoff_ratio / Ry,
        "occupations": "smearing" if spec.smearing_ev else "fixed",
    }
    if spec.smearing_ev:
        system |= {"smearing": "cold", "degauss": spec.smearing_ev / Ry}
    if spec.functional:
        system["input_dft"] = spec.functional
    return {
        "input_data": {
            "control": {"calculation": "scf", "tprnfor": True, "tstress": True, "disk_io": "none", "outdir": "."},
            "system": system,
            "electrons": {"conv_thr": spec.scf_convergence_ev / Ry, "electron_maxstep": spec.max_scf},
        },
        "pseudopotentials": {
            element: spec.pseudopotentials[element] for element in sorted(set(atoms.get_chemical_symbols()))
        },
        "kpts": k_mesh(atoms.cell.array, spec.k_spacing_inv_a, atoms.pbc.tolist()),
    }


def start(spec: EspressoSpec) -> Labeller:
    """Return a labeller that starts pw.x once a structure."""
    from subprocess import CalledProcessError

    from ase.calculators.espresso import Espresso, EspressoProfile

    stated = fingerprint(spec)
    profile = EspressoProfile(command=spec.command, pseudo_dir=spec.pseudo_dir)

    def label(atoms: "Atoms", folder: Path) -> Computed:
        calculator = Espresso(profile=profile, directory=folder, **espresso_settings(spec, atoms))
        try:
            computed = label_with_calculator(atoms, calculator, stated)
        except CalledProcessError as error:
            reason = _error_box(folder)
            raise RunError(
                f"pw.x left with exit code {error.returncode}{reason}: see {_OUTPUT} and espresso.err"
            ) from error
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
            _require_converged(folder)
            raise RunError(
                f"{_OUTPUT} cannot be read ({error or type(error).__name__}), expected a finished run"
            ) from error
        text = _require_converged(folder)
        version = re.search(r"Program PWSCF v\.(\S+)", text)
        found = stated.model_copy(update={"code_version": version.group(1) if version else None})
        return Computed(computed.energy, computed.forces, computed.stress, found)

    return label


def _require_converged(folder: Path) -> str:
    text = (folder / _OUTPUT).read_text(encoding="utf-8", errors="replace") if (folder / _OUTPUT).is_file() else ""
    if "convergence NOT achieved" in text or "convergence has been achieved" not in text:
        raise InputError("the electrons did not converge in pw.x, expected convergence: raise max_scf or smearing_ev")
    return text


def _error_box(folder: Path) -> str:
    """Return what pw.x printed between its two lines of percent signs."""
    text = (folder / _OUTPUT).read_text(encoding="utf-8", errors="replace") if (folder / _OUTPUT).is_file() else ""
    box = re.search(r"%{20,}\s*(.+?)\s*%{20,}", text, re.DOTALL)
    return f" ({' '.join(box.group(1).split())[:200]})" if box else ""
