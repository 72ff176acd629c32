"""CP2K's Quickstep through ASE and CP2K's shell; a run whose SCF did not converge is refused."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import InputError
from mlip_sse.references.backend import Computed, Labeller, label_with_calculator, require_program
from mlip_sse.references.k_points import k_mesh
from mlip_sse.references.specs import Cp2kSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["cp2k_settings", "fingerprint", "require_ready", "start"]

_LABEL = "cp2k"


def require_ready(spec: Cp2kSpec) -> None:
    """Refuse where CP2K is missing."""
    require_program(spec.command)


def fingerprint(spec: Cp2kSpec) -> Fingerprint:
    """State functional, cutoffs, k-spacing, basis and pseudopotentials; the version follows from the output."""
    return Fingerprint(
        method="dft",
        code="cp2k",
        functional=spec.functional,
        cutoff_ev=spec.cutoff_ev,
        k_spacing_inv_a=spec.k_spacing_inv_a,
        settings={
            "relative_cutoff_ev": spec.relative_cutoff_ev,
            "basis_set": spec.basis_set,
            "pseudopotential": spec.pseudopotential,
            "scf_convergence": spec.scf_convergence,
        },
    )


def cp2k_settings(spec: Cp2kSpec, atoms: "Atoms") -> dict[str, Any]:
    """Return the keywords of ASE's calculator for one structure; every line of its input is made of checked numbers."""
    from ase.units import Rydberg

    lines = [
        "&FORCE_EVAL",
        "  &DFT",
        f"    &MGRID\n      REL_CUTOFF {spec.relative_cutoff_ev / Rydberg:.10g}\n    &END MGRID",
        f"    &SCF\n      EPS_SCF {spec.scf_convergence:.3e}\n    &END SCF",
    ]
    if spec.k_spacing_inv_a is not None:
        mesh = k_mesh(atoms.cell.array, spec.k_spacing_inv_a, atoms.pbc.tolist())
        if mesh != (1, 1, 1):
            lines.append(f"    &KPOINTS\n      SCHEME MONKHORST-PACK {mesh[0]} {mesh[1]} {mesh[2]}\n    &END KPOINTS")
    lines += ["  &END DFT", "&END FORCE_EVAL"]
    return {
        "inp": "\n".join(lines),
        "xc": spec.functional,
        "cutoff": spec.cutoff_ev,
        "basis_set": spec.basis_set,
        "pseudo_potential": spec.pseudopotential,
        "max_scf": spec.max_scf,
        "stress_tensor": True,
        "command": f"exec {spec.command}",  # ASE starts it through a shell, which this replaces by the program itself
        "label": _LABEL,
        "print_level": "LOW",
    }


def start(spec: Cp2kSpec) -> Labeller:
    """Return a labeller that starts CP2K's shell once a structure."""
    from ase.calculators.cp2k import CP2K

    stated = fingerprint(spec)

    def label(atoms: "Atoms", folder: Path) -> Computed:
        output = folder / f"{_LABEL}.out"
        with CP2K(**cp2k_settings(spec, atoms)) as calculator:
            computed = label_with_calculator(atoms, calculator, stated)
        text = output.read_text(encoding="utf-8", errors="replace") if output.is_file() else ""
        if "SCF run NOT converged" in text or "SCF run converged" not in text:
            raise InputError(
                "the electrons did not converge in CP2K, or its output does not say so, expected 'SCF run converged': "
                "raise max_scf"
            )
        version = re.search(r"CP2K\| version string:\s*CP2K version (\S+)", text)
        found = stated.model_copy(update={"code_version": version.group(1) if version else None})
        return Computed(computed.energy, computed.forces, computed.stress, found)

    return label
