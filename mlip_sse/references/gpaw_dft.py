"""GPAW in plane waves: DFT that installs with pip."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import InputError, MissingExtraError
from mlip_sse.references.backend import Computed, Labeller, label_with_calculator, version_of
from mlip_sse.references.k_points import k_mesh
from mlip_sse.references.specs import GpawSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["fingerprint", "require_ready", "start"]

_FEATURE = "the reference gpaw"


def require_ready(spec: GpawSpec) -> None:
    """Refuse where GPAW or its setups are not installed."""
    version_of("gpaw", "gpaw", _FEATURE)


def fingerprint(spec: GpawSpec) -> Fingerprint:
    """State functional, cutoff, k-spacing, setups and convergence."""
    try:
        setups = f"gpaw-data {version_of('gpaw-data', 'gpaw', _FEATURE)}"
    except MissingExtraError:
        setups = "installed by the user"
    return Fingerprint(
        method="dft",
        code="gpaw",
        code_version=version_of("gpaw", "gpaw", _FEATURE),
        functional=spec.functional,
        cutoff_ev=spec.cutoff_ev,
        k_spacing_inv_a=spec.k_spacing_inv_a,
        settings={
            "setups": setups,
            "smearing_ev": spec.smearing_ev,
            "spin_polarised": spec.spin_polarised,
            "energy_convergence_ev": spec.energy_convergence_ev,
            "force_convergence_ev_a": spec.force_convergence_ev_a,
        },
    )


def start(spec: GpawSpec) -> Labeller:
    """Return a labeller that makes a new calculator for each structure, its text in the task's log."""
    from gpaw import GPAW, PW
    from gpaw.scf import KohnShamConvergenceError

    stated = fingerprint(spec)

    def label(atoms: "Atoms", folder: Path) -> Computed:
        if not all(atoms.pbc):
            raise InputError("found a structure that is not periodic, expected three periodic directions for gpaw")
        calculator = GPAW(
            mode=PW(spec.cutoff_ev),
            xc=spec.functional,
            kpts={"size": k_mesh(atoms.cell.array, spec.k_spacing_inv_a), "gamma": True},
            occupations={"name": "fermi-dirac", "width": spec.smearing_ev},
            spinpol=spec.spin_polarised,
            symmetry={"point_group": True, "time_reversal": True},
            convergence={"energy": spec.energy_convergence_ev, "forces": spec.force_convergence_ev_a},
            maxiter=spec.max_scf,
            txt=str(folder / "gpaw.txt"),
        )
        try:
            return label_with_calculator(atoms, calculator, stated)
        except KohnShamConvergenceError as error:
            raise InputError(
                f"the electrons did not converge in {spec.max_scf} SCF steps, expected convergence: raise max_scf or "
                "smearing_ev"
            ) from error

    return label
