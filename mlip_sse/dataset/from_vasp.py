"""Labelled frames from vasprun.xml and OUTCAR; steps whose electrons did not converge are refused."""

import gzip
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame, voigt
from mlip_sse.errors import FormatError, InputError
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["read_outcar", "read_vasprun", "vasprun_fingerprint"]

_KBAR_PER_EV_A3 = 10 * EV_PER_A3_TO_GPA
_EXACT = ("ISPIN", "ISMEAR", "SIGMA", "EDIFF", "LASPH", "LREAL", "PREC", "IVDW")


def read_vasprun(path: str | Path, fingerprint: Fingerprint | None = None) -> list[LabelledFrame]:
    """Read every ionic step of a vasprun.xml.

    The energy is VASP's free energy, whose derivative the forces are; the stress is VASP's kB with the sign turned.

    Parameters
    ----------
    path
        vasprun.xml, or compressed with gzip.
    fingerprint
        Instead of the one the file states.

    Raises
    ------
    FormatError
        When it is damaged, or another file.
    InputError
        When the electrons of a step did not converge, or a step cannot be a label.
    """
    path = Path(path)
    run = _vasprun(path)
    stated = fingerprint or vasprun_fingerprint(run)
    frames = []
    limit = run.parameters.get("NELM", 60)
    for place, step in enumerate(run.ionic_steps):
        n_scf = len(step.get("electronic_steps", ()))
        if not 0 < n_scf < limit:
            raise InputError(
                f"{path}: the electrons of ionic step {place + 1} did not converge ({n_scf} SCF steps, NELM {limit}), "
                "expected fewer: raise NELM or change ALGO and run it again"
            )
        if missing := [name for name in ("forces", "e_fr_energy", "structure") if name not in step]:
            raise InputError(f"{path}: ionic step {place + 1} lacks {', '.join(missing)}, expected a finished step")
        frames.append(_vasprun_frame(path, step, stated, place))
    if not frames:
        raise FormatError(f"{path}: found no ionic step, expected at least one")
    return frames


def vasprun_fingerprint(run: Any) -> Fingerprint:
    """Return what a pymatgen ``Vasprun`` says of its method."""
    tags = {**run.parameters, **run.incar}
    k_spacing = run.incar.get("KSPACING")
    settings = {name: tags[name] for name in _EXACT if isinstance(tags.get(name), str | int | float | bool)}
    names = [symbol.split()[1:] for symbol in run.potcar_symbols]
    return Fingerprint(
        method="dft",
        code="vasp",
        code_version=str(run.vasp_version),
        functional=str(run.run_type),
        cutoff_ev=float(tags.get("ENCUT") or tags["ENMAX"]),
        k_spacing_inv_a=None if k_spacing is None else float(k_spacing),
        pseudopotentials={words[0].split("_")[0]: " ".join(words) for words in names if words},
        settings=settings,
    )


def read_outcar(path: str | Path, fingerprint: Fingerprint | None = None) -> list[LabelledFrame]:
    """Read every ionic step of an OUTCAR.

    Parameters
    ----------
    path
        OUTCAR, or compressed with gzip.
    fingerprint
        Instead of the one the file states.

    Raises
    ------
    FormatError
        When it is damaged, or another file.
    InputError
        When the electrons of a step did not converge, or a step cannot be a label.
    """
    from ase.io import read

    path = Path(path)
    text = _text(path)
    if "vasp" not in text[:500].lower():
        raise FormatError(f"{path}: found no 'vasp' in its first lines, expected an OUTCAR")
    _require_converged(path, text)
    try:
        images = read(path, index=":", format="vasp-out")
    except Exception as error:  # ASE's parser raises whatever it stumbles over
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise FormatError(f"{path}: not a readable OUTCAR: {reason}") from error
    stated = fingerprint or _outcar_fingerprint(text)
    frames = []
    for place, atoms in enumerate(images):
        try:
            frames.append(LabelledFrame.from_atoms(atoms, stated, _group(path), place))
        except InputError as error:
            raise InputError(f"{path}: ionic step {place + 1}: {error}") from error
    if not frames:
        raise FormatError(f"{path}: found no ionic step, expected at least one")
    return frames


def _vasprun(path: Path) -> Any:
    from pymatgen.io.vasp.outputs import Vasprun

    with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as stream:
        try:
            head = stream.read(4096)
        except (OSError, EOFError) as error:
            raise FormatError(f"{path}: damaged gzip: {error}") from error
    if b"<!ENTITY" in head or b"<modeling" not in head:
        raise FormatError(f"{path}: found no <modeling> in its first lines, expected a vasprun.xml")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its warnings on convergence are our errors
            return Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False, exception_on_bad_xml=True)
    except Exception as error:  # the XML parser and pymatgen raise whatever they stumble over
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise FormatError(f"{path}: not a complete vasprun.xml: {reason}") from error


def _vasprun_frame(path: Path, step: dict[str, Any], fingerprint: Fingerprint, place: int) -> LabelledFrame:
    structure = step["structure"]
    stress = step.get("stress")
    try:
        return LabelledFrame(
            symbols=tuple(site.specie.symbol for site in structure),
            cell=structure.lattice.matrix,
            positions=structure.cart_coords,
            energy=float(step["e_fr_energy"]),
            forces=step["forces"],
            stress=None if stress is None else -voigt(stress) / _KBAR_PER_EV_A3,
            fingerprint=fingerprint,
            group=_group(path),
            place=place,
        )
    except InputError as error:
        raise InputError(f"{path}: ionic step {place + 1}: {error}") from error


def _require_converged(path: Path, text: str) -> None:
    """Each ionic step says once that EDIFF was reached before it prints its forces."""
    steps = text.split("FREE ENERGIE OF THE ION-ELECTRON SYSTEM")[:-1]
    for number, step in enumerate(steps, start=1):
        if "aborting loop because EDIFF is reached" not in step:
            raise InputError(
                f"{path}: the electrons of ionic step {number} did not converge (EDIFF not reached), expected "
                "convergence: raise NELM or change ALGO and run it again"
            )


def _outcar_fingerprint(text: str) -> Fingerprint:
    version = re.search(r"vasp\.(\S+)", text[:500])
    cutoff = re.search(r"ENCUT\s*=\s*([\d.]+)", text)
    settings = {}
    for name in ("ISPIN", "ISMEAR", "SIGMA", "EDIFF"):
        if found := re.search(rf"\b{name}\s*=\s*([-+\d.E]+)", text):
            settings[name] = float(found.group(1))
    return Fingerprint(
        method="dft",
        code="vasp",
        code_version=version.group(1) if version else None,
        functional=_outcar_functional(text),
        cutoff_ev=float(cutoff.group(1)) if cutoff else None,
        pseudopotentials=_potentials(re.findall(r"TITEL\s*=\s*\S+ (\S+(?: \S+)?)", text)),
        settings=settings,
    )


def _outcar_functional(text: str) -> str | None:
    meta = re.search(r"METAGGA\s*=\s*([A-Z0-9]+)", text)
    gga = re.search(r"\bGGA\s*=\s*(\S+)", text)
    names = {"PE": "PBE", "PS": "PBEsol", "RE": "revPBE"}
    base = meta.group(1) if meta and meta.group(1) != "F" else names.get(gga.group(1), gga.group(1)) if gga else None
    return f"{base}+U" if base and re.search(r"LDAU\s*=\s*T", text) else base


def _potentials(titles: Iterable[str]) -> dict[str, str]:
    return {title.split("_")[0].split()[0]: title for title in titles}


def _text(path: Path) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise FormatError(f"{path}: cannot be read: {error}") from error
    return data.decode("utf-8", errors="replace")


def _group(path: Path) -> str:
    """Return the last three parts of the path: one run, one group."""
    return "/".join(part for part in path.absolute().parts[-3:] if part not in ("/", "\\")).translate(
        str.maketrans("\"'\\", "___")
    )[-200:]
