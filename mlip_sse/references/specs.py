"""Settings of each reference, frozen and checked in full before the first label is made."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from mlip_sse.references.gates import Gates
from mlip_sse.specs import Spec

__all__ = [
    "REFERENCES",
    "AseSpec",
    "ChgnetSpec",
    "Cp2kSpec",
    "EspressoSpec",
    "GpawSpec",
    "Plain",
    "ReferenceSpec",
    "VaspSpec",
]

_WORD = re.compile(r"[A-Za-z0-9_./=+:,@%-]+\Z")
_IMPORT_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*\Z")
_FILE_NAME = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*\Z")
_TAG = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.+*/ -]*\Z")
_OURS = frozenset({"ENCUT", "KSPACING", "GGA", "METAGGA", "LDAU", "NSW", "SYSTEM"})


def _is_command(text: str) -> str:
    words = text.split()
    if not words or not all(_WORD.match(word) for word in words):
        raise ValueError("expected a program and plain options such as 'mpirun -n 8 vasp_std'; no shell reads it")
    return text


def _is_name(text: str) -> str:
    if not _FILE_NAME.match(text):
        raise ValueError("expected a plain name such as 'Li.upf', no folders and no spaces")
    return text


Command = Annotated[str, AfterValidator(_is_command)]
"""Words of letters, digits and ``_./=+:,@%-``: nothing in it means anything to a shell."""

Name = Annotated[str, Field(max_length=100), AfterValidator(_is_name)]
Plain = str | int | float | bool | None
Spacing = Annotated[float, Field(gt=0.02, le=2.0)]
Cutoff = Annotated[float, Field(gt=0, le=50000)]


class ReferenceSpec(Spec):
    """What all references have: gates, and a time limit."""

    gates: Gates = Field(Gates(), description="limits that a label must keep")
    time_limit_s: float = Field(3600.0, gt=0, description="a label that takes longer is ended and counts as failed")

    def identity(self) -> dict[str, Any]:
        """Return what changes the numbers: everything but gates, time limit and how the program is started."""
        return self.model_dump(mode="json", exclude={"gates", "time_limit_s", "command", "n_threads"})


class ChgnetSpec(ReferenceSpec):
    """CHGNet, a universal potential: a surrogate for DFT, never DFT itself."""

    kind: Literal["chgnet"] = Field("chgnet", description="the reference")
    model: Literal["0.3.0", "0.2.0", "r2scan"] = Field(
        "0.3.0", description="pretrained model: 0.3.0 and 0.2.0 are PBE/PBE+U with MP2020 corrections"
    )
    time_limit_s: float = Field(300.0, gt=0, description="a label that takes longer is ended and counts as failed")


class GpawSpec(ReferenceSpec):
    """GPAW in plane waves with its own PAW setups."""

    kind: Literal["gpaw"] = Field("gpaw", description="the reference")
    functional: Literal["PBE", "PBEsol", "LDA", "RPBE", "revPBE"] = Field("PBE", description="functional")
    cutoff_ev: Cutoff = Field(700.0, description="plane-wave cutoff in eV")
    k_spacing_inv_a: Spacing = Field(0.3, description="largest spacing of k-points in 1/Å, 2π included")
    smearing_ev: float = Field(0.05, gt=0, le=1, description="width of the Fermi-Dirac occupation in eV")
    spin_polarised: bool = Field(False, description="two spin channels")
    energy_convergence_ev: float = Field(
        1e-6, gt=0, le=1e-3, description="energy change per electron, in eV, to stop at"
    )
    force_convergence_ev_a: float = Field(1e-3, gt=0, le=1, description="force change in eV/Å to stop at")
    max_scf: int = Field(200, ge=1, description="most SCF steps; beyond them the label is refused")


class VaspSpec(ReferenceSpec):
    """VASP with pymatgen's MatPES static set; the POTCARs are the user's own."""

    kind: Literal["vasp"] = Field("vasp", description="the reference")
    functional: Literal["PBE", "PBE+U", "R2SCAN"] = Field("PBE", description="functional of the MatPES set")
    cutoff_ev: Cutoff = Field(680.0, description="ENCUT in eV")
    k_spacing_inv_a: Spacing = Field(0.22, description="KSPACING in 1/Å")
    potcar_functional: Literal["PBE_64", "PBE_54", "PBE_52", "PBE"] = Field(
        "PBE_64", description="folder of pymatgen's POTCAR library; MatPES uses PBE_64"
    )
    incar: dict[str, Plain] = Field(default_factory=dict, description="further INCAR tags, such as ALGO or NCORE")
    command: Command = Field("vasp_std", description="how to start VASP, such as mpirun -n 8 vasp_std")
    time_limit_s: float = Field(86400.0, gt=0, description="a label that takes longer is ended and counts as failed")

    @field_validator("incar")
    @classmethod
    def _plain_tags(cls, incar: dict[str, Plain]) -> dict[str, Plain]:
        for tag, value in incar.items():
            if not _TAG.match(tag) or tag in _OURS:
                why = "has its own key in the spec" if tag in _OURS else "is not an INCAR tag in capitals"
                raise ValueError(f"found {tag[:40]!r}, which {why}")
            if isinstance(value, str) and not _TAG_VALUE.match(value):
                raise ValueError(f"found {value[:40]!r} for {tag}, expected plain words")
        return incar


class EspressoSpec(ReferenceSpec):
    """Quantum ESPRESSO's pw.x through ASE."""

    kind: Literal["espresso"] = Field("espresso", description="the reference")
    functional: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9+_-]{1,40}$",
        description="input_dft instead of the pseudopotentials' own functional",
        examples=["PBE"],
    )
    cutoff_ev: Cutoff = Field(680.0, description="ecutwfc in eV")
    density_cutoff_ratio: float = Field(
        8.0, ge=4, le=20, description="ecutrho over ecutwfc: 4 norm-conserving, 8 to 12 PAW"
    )
    k_spacing_inv_a: Spacing = Field(0.3, description="largest spacing of k-points in 1/Å, 2π included")
    smearing_ev: float = Field(
        0.05, ge=0, le=1, description="width of the cold smearing in eV; 0 for fixed occupations"
    )
    scf_convergence_ev: float = Field(1e-7, gt=0, le=1e-3, description="conv_thr in eV for the whole cell")
    max_scf: int = Field(200, ge=1, description="electron_maxstep")
    pseudo_dir: str = Field(
        min_length=1,
        pattern=r"^[^\x00-\x1f'\"]+$",
        description="folder of the pseudopotentials",
        examples=["/opt/sssp"],
    )
    pseudopotentials: dict[str, Name] = Field(
        min_length=1, description="file of each element", examples=[{"Li": "li_pbe_v1.4.uspp.F.UPF"}]
    )
    command: Command = Field("pw.x", description="how to start pw.x, such as mpirun -n 8 pw.x")
    time_limit_s: float = Field(86400.0, gt=0, description="a label that takes longer is ended and counts as failed")


class Cp2kSpec(ReferenceSpec):
    """CP2K's Quickstep through ASE."""

    kind: Literal["cp2k"] = Field("cp2k", description="the reference")
    functional: Literal["PBE", "LDA", "BLYP", "TPSS"] = Field("PBE", description="functional")
    cutoff_ev: Cutoff = Field(8200.0, description="cutoff of the finest grid in eV; 8200 eV are 600 Ry")
    relative_cutoff_ev: Cutoff = Field(820.0, description="REL_CUTOFF in eV")
    k_spacing_inv_a: Spacing | None = Field(
        None, description="largest k-spacing in 1/Å; none for the Γ point alone", examples=[0.3]
    )
    basis_set: Name = Field("DZVP-MOLOPT-SR-GTH", description="name of the basis sets")
    pseudopotential: Name = Field("auto", description="name of the pseudopotentials; auto follows the functional")
    scf_convergence: float = Field(1e-7, gt=0, le=1e-4, description="EPS_SCF")
    max_scf: int = Field(100, ge=1, description="most SCF steps; beyond them the label is refused")
    command: Command = Field("cp2k_shell.psmp", description="how to start CP2K's shell, such as cp2k.psmp -s")
    time_limit_s: float = Field(86400.0, gt=0, description="a label that takes longer is ended and counts as failed")


class AseSpec(ReferenceSpec):
    """Any ASE calculator, by its import path."""

    kind: Literal["ase"] = Field("ase", description="the reference")
    calculator: str = Field(
        pattern=_IMPORT_PATH.pattern.replace(r"\Z", "$"),
        max_length=200,
        description="module:class of an ASE calculator",
        examples=["ase.calculators.emt:EMT"],
    )
    settings: dict[str, Plain | list[Plain]] = Field(
        default_factory=dict, description="plain keyword settings the calculator is made with"
    )

    @field_validator("calculator")
    @classmethod
    def _importable_name(cls, calculator: str) -> str:
        if not _IMPORT_PATH.match(calculator):  # the pattern's $ lets a line end pass
            raise ValueError("expected module:class such as ase.calculators.emt:EMT")
        return calculator

    @field_validator("settings")
    @classmethod
    def _keywords(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for key in settings:
            if not key.isidentifier():
                raise ValueError(f"found the setting {key[:40]!r}, expected a keyword")
        return settings


REFERENCES: Mapping[str, type[ReferenceSpec]] = MappingProxyType(
    {
        "chgnet": ChgnetSpec,
        "gpaw": GpawSpec,
        "vasp": VaspSpec,
        "espresso": EspressoSpec,
        "cp2k": Cp2kSpec,
        "ase": AseSpec,
    }
)
"""The settings of each kind of reference."""
