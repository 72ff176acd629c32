"""Phases from what users have: entries in pymatgen's JSON, folders of vasprun.xml, the Materials Project.

JSON is read as data: a file can name no class to be made. Of each entry composition, energy, corrections, parameters
and data are taken, whatever else it holds is left.
"""

import gzip
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlip_sse.analysis.reactions.corrections import StoredEnergy, schemes_of
from mlip_sse.analysis.reactions.phases import EnergyState, Phase, PhaseSet, Scheme
from mlip_sse.errors import FormatError, InputError, MissingExtraError, RunError

__all__ = [
    "APPLICABLE",
    "fetch_materials_project",
    "phases_of",
    "read_entries",
    "read_phases",
    "read_vasprun_folder",
    "write_entries",
]

APPLICABLE = ("as-stored", "none", "MP2020", "legacy", "MIT")
"""What can be done with the corrections of a source: keep them, take them off, or put a scheme in their place."""

_KNOWN_CLASSES = ("ComputedEntry", "ComputedStructureEntry", "GibbsComputedStructureEntry", "PDEntry")


def read_phases(source: str | Path, corrections: str = "as-stored") -> PhaseSet:
    """Read phases from a JSON file of entries or a folder with vasprun.xml files.

    Parameters
    ----------
    source
        The path.
    corrections
        One of `APPLICABLE`.

    Raises
    ------
    InputError
        When there is nothing to read, or a scheme cannot be applied.
    """
    path = Path(source)
    if not path.exists():
        raise InputError(f"no entries at {path}, expected a JSON file of entries or a folder with vasprun.xml files")
    stored = read_vasprun_folder(path) if path.is_dir() else read_entries(path)
    return phases_of(stored, str(path), corrections)


def phases_of(stored: Sequence[StoredEnergy], source: str, corrections: str = "as-stored") -> PhaseSet:
    """Turn stored energies into phases, the corrections kept, taken off or put in place.

    Raises
    ------
    InputError
        When the corrections are mixed, or the scheme is unknown or cannot be applied.
    """
    if corrections not in APPLICABLE:
        raise InputError(f"found corrections {corrections!r}, expected one of {', '.join(APPLICABLE)}")
    if corrections != "as-stored":
        _refuse_inseparable(stored, corrections)
    if corrections == "none":
        totals, schemes = [entry.energy for entry in stored], [Scheme.NONE] * len(stored)
    elif corrections == "as-stored":
        totals, schemes = [entry.energy + entry.correction for entry in stored], schemes_of(stored)
    else:
        totals, schemes = _corrected(stored, corrections)
    return PhaseSet(
        tuple(
            Phase(
                entry.amounts,
                energy,
                entry.name,
                EnergyState(scheme, entry.functional, source),
                _stated_uncertainty(entry),
                tuple(float(each) for each in entry.data.get("committee_ev_atom") or ()),
            )
            for entry, energy, scheme in zip(stored, totals, schemes, strict=True)
        )
    )


def read_entries(path: str | Path) -> list[StoredEnergy]:
    """Read entries as pymatgen and the Materials Project write them, plain or gzipped.

    Raises
    ------
    FormatError
        When the file is no JSON or an entry lacks what is needed.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        content = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (ValueError, gzip.BadGzipFile) as error:
        raise FormatError(f"{path}: {error}; expected a JSON file with a list of entries") from error
    if isinstance(content, Mapping):
        content = content.get("entries", list(content.values()))
    if not isinstance(content, list) or not content:
        raise FormatError(f"{path}: found no list of entries, expected what pymatgen's dumpfn writes")
    return [_stored(entry, f"{path.name}[{index}]") for index, entry in enumerate(content)]


def write_entries(path: str | Path, phases: PhaseSet) -> None:
    """Write phases as entries that `read_entries` and pymatgen read; the scheme stands in the parameters."""
    plain = [
        {
            "@module": "pymatgen.core.entries",
            "@class": "ComputedEntry",
            "composition": dict(phase.amounts),
            "energy": phase.energy,
            "correction": 0.0,
            "entry_id": phase.name,
            "parameters": {"run_type": phase.state.functional, "correction_scheme": str(phase.state.scheme)},
            "data": _stated(phase),
        }
        for phase in phases.phases
    ]
    Path(path).write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_vasprun_folder(folder: str | Path) -> list[StoredEnergy]:
    """Read every vasprun.xml below a folder; the name of an entry is its folder.

    Raises
    ------
    FormatError
        When there is none, one cannot be read, or one has not converged.
    """
    folder = Path(folder)
    found = sorted([*folder.rglob("vasprun.xml"), *folder.rglob("vasprun.xml.gz")])
    if not found:
        raise FormatError(f"{folder}: found no vasprun.xml below it, expected one for each phase")
    return [_from_vasprun(path, str(path.parent.relative_to(folder))) for path in found]


def fetch_materials_project(elements: Sequence[str], api_key: str | None = None) -> list[StoredEnergy]:
    """Fetch all entries of these elements from the Materials Project, with the corrections it gives them.

    Parameters
    ----------
    elements
        The chemical system.
    api_key
        The user's key; without one mp-api takes it from ``MP_API_KEY``.

    Raises
    ------
    MissingExtraError
        Without mp-api.
    RunError
        When the service or the key does not work.
    """
    try:
        from mp_api.client import MPRester
    except ImportError as error:
        raise MissingExtraError("reading the Materials Project", "mp") from error
    try:
        with MPRester(api_key) as client:
            entries = client.get_entries_in_chemsys(
                sorted(elements), additional_criteria={"thermo_types": ["GGA_GGA+U"]}
            )
    except Exception as error:  # of the key, of the network, of the service: each client version has its own
        words = " ".join(str(error).split())[:200]
        raise RunError(f"the Materials Project gave no entries ({words}); is your key in MP_API_KEY?") from error
    return [_stored(entry.as_dict(), f"entry {index}") for index, entry in enumerate(entries)]


def _stored(entry: Any, where: str) -> StoredEnergy:
    if not isinstance(entry, Mapping):
        raise FormatError(f"{where}: found {type(entry).__name__}, expected an entry with composition and energy")
    kind = entry.get("@class", _KNOWN_CLASSES[0])
    if kind not in _KNOWN_CLASSES:
        raise FormatError(f"{where}: found an entry of class {kind!r}, expected one of {', '.join(_KNOWN_CLASSES)}")
    try:
        energy = float(entry["energy"])
        amounts = _amounts(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: {error!s} is missing or no number, expected composition and energy") from error
    parameters, data = entry.get("parameters") or {}, entry.get("data") or {}
    correction, names = _corrections(entry, sum(amounts.values()))
    name = str(entry.get("entry_id") or entry.get("name") or where)
    return StoredEnergy(amounts, energy, correction, name, names, dict(parameters), dict(data))


def _amounts(entry: Mapping[str, Any]) -> dict[str, float]:
    from ase.data import atomic_numbers

    amounts: dict[str, float] = {}
    if "composition" in entry:
        pairs = [(str(key), float(value)) for key, value in entry["composition"].items()]
    else:
        sites = entry["structure"]["sites"]
        pairs = [(str(part["element"]), float(part["occu"])) for site in sites for part in site["species"]]
    for key, value in pairs:
        symbol = re.match(r"[A-Z][a-z]?", key)
        if symbol is None or symbol[0] not in atomic_numbers:
            raise ValueError(f"element {key!r}")
        amounts[symbol[0]] = amounts.get(symbol[0], 0.0) + value
    return {element: amount for element, amount in amounts.items() if amount > 1e-8}


def _corrections(entry: Mapping[str, Any], n_atoms: float) -> tuple[float, tuple[str, ...]]:
    """Return the sum in eV and the names of the corrections that are not zero."""
    total, names = 0.0, []
    adjustments = entry.get("energy_adjustments")
    if not adjustments:
        return float(entry.get("correction") or 0.0), ()
    for adjustment in adjustments:
        if "value" in adjustment:
            value = float(adjustment["value"])
        elif "adj_per_deg" in adjustment:
            value = float(adjustment["adj_per_deg"]) * float(adjustment["temp"]) * float(adjustment["n_atoms"])
        else:
            value = float(adjustment["adj_per_atom"]) * float(adjustment.get("n_atoms", n_atoms))
        if abs(value) < 1e-9:
            continue
        total += value
        made_by = adjustment.get("cls")
        names.append(str(made_by["@class"]) if isinstance(made_by, Mapping) and "@class" in made_by else "")
        names.append(str(adjustment.get("name") or ""))
    return total, tuple(name for name in names if name and not name.startswith("Manual"))


def _from_vasprun(path: Path, name: str) -> StoredEnergy:
    from pymatgen.io.vasp import Vasprun

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unconverged run is refused below
            run = Vasprun(str(path), parse_dos=False, parse_eigen=False, parse_potcar_file=False)
        energy, composition = float(run.final_energy), run.final_structure.composition
        parameters = {"run_type": str(run.run_type), "hubbards": run.hubbards, "is_hubbard": run.is_hubbard}
    except Exception as error:  # the parser raises whatever a broken file makes it stumble over
        raise FormatError(f"{path}: {error}; expected a complete vasprun.xml") from error
    if not run.converged:
        raise FormatError(f"{path}: the calculation did not converge; finish it or leave the folder out")
    amounts = {str(element): float(n) for element, n in composition.get_el_amt_dict().items()}
    return StoredEnergy(amounts, energy, 0.0, name, (), parameters | {"potcar_symbols": run.potcar_symbols})


def _corrected(stored: Sequence[StoredEnergy], scheme: str) -> tuple[list[float], list[Scheme]]:
    """Put a scheme of pymatgen in place of the corrections that are stored."""
    from pymatgen.entries import compatibility
    from pymatgen.entries.computed_entries import ComputedEntry

    classes = {
        "MP2020": (compatibility.MaterialsProject2020Compatibility, Scheme.MP2020),
        "legacy": (compatibility.MaterialsProjectCompatibility, Scheme.LEGACY),
        "MIT": (compatibility.MITCompatibility, Scheme.MIT),
    }
    make, name = classes[scheme]
    totals = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rules = make()
        for entry in stored:
            plain = ComputedEntry(
                dict(entry.amounts), entry.energy, parameters=dict(entry.parameters), data=dict(entry.data)
            )
            done = rules.process_entries([plain], inplace=True)
            if not done:
                raise InputError(
                    f"{entry.name}: {scheme} cannot be applied to it (run type {entry.functional}), expected an entry "
                    "with run_type, hubbards and potcar_symbols as the Materials Project's; use --corrections none"
                )
            totals.append(float(done[0].energy))
    return totals, [name] * len(totals)


def _refuse_inseparable(stored: Sequence[StoredEnergy], corrections: str) -> None:
    """Refuse energies that are said to hold corrections and do not say how much of them these are."""
    for entry in stored:
        scheme = entry.parameters.get("correction_scheme", Scheme.NONE.value)
        if scheme != Scheme.NONE.value and entry.correction == 0.0:
            raise InputError(
                f"{entry.name}: its energy holds {scheme!r}, which cannot be taken off or replaced by {corrections}: "
                "expected energies and corrections apart; use --corrections as-stored"
            )


def _stated_uncertainty(entry: StoredEnergy) -> float | None:
    stated = entry.data.get("uncertainty_ev_atom")
    return None if stated is None else float(stated)


def _stated(phase: Phase) -> dict[str, Any]:
    stated: dict[str, Any] = {}
    if phase.uncertainty_ev_atom is not None:
        stated["uncertainty_ev_atom"] = phase.uncertainty_ev_atom
    if phase.committee_ev_atom:
        stated["committee_ev_atom"] = list(phase.committee_ev_atom)
    return stated
