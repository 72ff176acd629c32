"""What one result file says, as rows: numbers with bounds and limits, and what was refused, by name.

Every result of this program names its unit in its name, so that one rule reads them all. A number, or an interval
``{value, low, high}``, becomes ``NAME``, ``NAME_low`` and ``NAME_high``; an interval without a value is a limit, and
``NAME_censored`` says so. Lists of temperatures, trajectories, hops, compounds and the like become a row each; what
stands beside them is one more row. What was refused stays out.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["UNITS", "ResultRow", "rows_of", "unit_of"]

UNITS = (
    ("_ms_cm", "mS/cm"),
    ("_s_cm", "S/cm"),
    ("_cm2_s", "cm²/s"),
    ("_mev_atom", "meV/atom"),
    ("_ev_atom", "eV/atom"),
    ("_j_m2", "J/m²"),
    ("_ev_a2", "eV/Å²"),
    ("_ev_a", "eV/Å"),
    ("_ev", "eV"),
    ("_gpa", "GPa"),
    ("_g_cm3", "g/cm³"),
    ("_per_k", "1/K"),
    ("_1_k", "1/K"),
    ("_k_ps", "K/ps"),
    ("_per_ps", "1/ps"),
    ("_per_ns", "1/ns"),
    ("_k", "K"),
    ("_a3_atom", "Å³/atom"),
    ("_a3", "Å³"),
    ("_a2", "Å²"),
    ("_a_ps", "Å/ps"),
    ("_a", "Å"),
    ("_fs", "fs"),
    ("_ps", "ps"),
    ("_ns", "ns"),
    ("_thz", "THz"),
    ("_deg", "°"),
    ("_degrees", "°"),
    ("_v", "V"),
)
"""Endings of names and the units that they stand for; the longest wins."""

_INSIDE = (
    ("first_peak_", "Å"),
    ("bond_length_", "Å"),
    ("hop_length", "Å"),
    ("height", "Å"),
    ("interphase_thickness", "Å"),
    ("residence_time_", "fs"),
    ("percolation_barrier", "eV"),
)
"""Beginnings of names that carry no unit, as they are in those of this program."""

_LISTS = ("trajectories", "temperatures", "runs", "hops", "rows", "glasses", "table")
_NESTED = "runs"
_SECTIONS = (
    "arrhenius",
    "temperatures",
    "moduli",
    "expansion",
    "diffusion",
    "at_rest",
    "formation",
    "species",
    "ensemble",
    "units",
)
_PREFIXED = {"at_rest": "at_rest", "formation": "formation", "units": "share"}
_RENAMED = {
    "linear": "linear_expansion_per_k",
    "volumetric": "volumetric_expansion_per_k",
    "bulk": "bulk_gpa",
    "shear": "shear_gpa",
    "young": "young_gpa",
    "bond": "bond_length_a",
    "ligand_distance": "ligand_distance_a",
    "intact": "share_intact",
    "homopolar": "share_homopolar",
}
_OF_HOPS = {
    "distance_a": "hop_distance_a",
    "clearance_a": "void_clearance_a",
    "barrier_ev": "barrier_forward_ev",
    "reverse_barrier_ev": "barrier_backward_ev",
}
"""Names of a hop as the table of many compounds has them, so that one recipe reads all."""

_SERIES = {
    "equilibrium_volumes_a3_atom": "volume_a3_atom",
    "volumetric_expansions_per_k": "volumetric_expansion_per_k",
    "bulk_moduli_gpa": "bulk_gpa",
}
_NO_PROPERTY = frozenset(
    {
        *("confidence", "n_reused", "hop", "start", "end", "run", "seed", "order", "misfit", "reference_k"),
        *("pushed", "ion", "n_reordered", "n_frames", "n_rows", "n_segments", "n_segments_done", "n_interface_atoms"),
        *("temperature_mean_k", "inner_temperature_error_k", "inner_fluctuation_k", "inner_excess_k", "height_a"),
        *("potential_energy_start_ev", "potential_energy_end_ev", "conserved_drift_mev_atom_ps"),
        *("pressure_z_error_gpa", "volume_a3"),
        *("highest_image", "n_moving", "n_pushes", "n_steps", "n_atoms", "n_constants", "n_moved", "n_interfaces"),
        *("residual_ev_a", "max_force_ev_a", "curvature_along_ev_a2", "frame_spacing_fs", "frames_for_pairs"),
        *("parabolic_weight", "electrolyte_thickness", "pressure_offset_gpa", "reaction_energy_error_ev_atom"),
        *("inner_temperature_k", "inner_peak_k", "energy_change_ev_atom", "height_change", "pressure_z_gpa", "n_runs"),
    }
)
"""Numbers that say how a result was made, or how large its cell was, not what a material is."""

_TEXTS = ("mobile", "quality", "potential", "mechanism")
_OF_SETTINGS = ("protocol", "mobile")
_END = re.compile(r"^(?P<before>.+)_(?P<end>low|high)(?P<unit>_[a-z0-9_]+)$")
_SHOWN = 160


@dataclass(frozen=True)
class ResultRow:
    """What a result says of one material, or of one at a temperature.

    Parameters
    ----------
    numbers
        By name, with ``_low``, ``_high`` and ``_censored``.
    texts
        Mobile species, quality, potential, protocol, mechanism.
    whole
        The part of the document that it was read from.
    """

    numbers: Mapping[str, float]
    texts: Mapping[str, str] = field(default_factory=dict)
    whole: Mapping[str, Any] = field(default_factory=dict)


def unit_of(name: str) -> str:
    """Return the unit that a name says, "" where it says none."""
    endings = sorted(UNITS, key=lambda pair: -len(pair[0]))
    ending = next((unit for ending, unit in endings if name.endswith(ending)), "")
    return ending or next((unit for start, unit in _INSIDE if name.startswith(start)), "")


def rows_of(document: Mapping[str, Any]) -> tuple[list[ResultRow], list[str]]:
    """Return the rows of a result, and a line for each part of it that was refused."""
    rows: list[ResultRow] = []
    refused: list[str] = []
    settings = _settings(document)
    common = {name: settings[name] for name in _OF_SETTINGS if isinstance(settings.get(name), str)}
    common |= {name: document[name] for name in _TEXTS if isinstance(document.get(name), str)}
    if isinstance(document.get("question"), str):
        common["protocol"] = document["question"]
    pooled = bool(_mappings(document.get("temperatures")))
    for key in _LISTS:
        if key == "trajectories" and pooled:  # of a campaign: the replicas of a temperature are together there
            continue
        for row in _mappings(document.get(key)):
            _read(_hop(row) if key == "hops" else row, common, rows, refused)
    series = [ResultRow(numbers, common, document) for numbers in _series(document)]
    outside = {key: value for key, value in document.items() if key not in _LISTS or isinstance(value, Mapping)}
    kelvin = _finite(document.get("reference_k"))
    if kelvin is None and isinstance(document.get("glasses"), list):
        kelvin = _finite(settings.get("end_temperature_k"))
    wholes: list[ResultRow] = []
    said = {name: text for name, text in common.items() if name in _OF_SETTINGS}
    _read(outside, said, wholes, refused, None if kelvin is None else {"temperature_k": kelvin})
    return _with_series(_completed(rows, wholes), series), refused


def _settings(document: Mapping[str, Any]) -> Mapping[str, Any]:
    provenance = document.get("provenance")
    settings = provenance.get("settings") if isinstance(provenance, Mapping) else None
    return settings if isinstance(settings, Mapping) else {}


def _hop(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a hop under the names of the table of many compounds."""
    return {_OF_HOPS.get(name, name): value for name, value in row.items()}


def _completed(rows: list[ResultRow], wholes: list[ResultRow]) -> list[ResultRow]:
    """Return the rows with those of the whole; what the whole says of a temperature that one row has is that row's."""
    found = list(rows)
    for whole in wholes:
        kelvin = whole.numbers.get("temperature_k")
        same = [at for at, row in enumerate(rows) if kelvin is not None and row.numbers.get("temperature_k") == kelvin]
        if len(same) != 1 or "glasses" in whole.whole:
            found.append(whole)
            continue
        row = found[same[0]]
        weak = {"quality": "weak"} if "weak" in (row.texts.get("quality"), whole.texts.get("quality")) else {}
        found[same[0]] = replace(
            row, numbers={**whole.numbers, **row.numbers}, texts={**whole.texts, **row.texts, **weak}
        )
    return found


def _read(
    section: Mapping[str, Any],
    common: Mapping[str, Any],
    rows: list[ResultRow],
    refused: list[str],
    inherited: Mapping[str, float] | None = None,
) -> None:
    """Add the row of a section, and those of the runs inside it."""
    if section.get("quality") == "refused":
        refused.append(_refusal(section))
        return
    numbers = {**(inherited or {}), **_numbers(section, refused)}
    texts = {**common, **_quality(section)}
    texts |= {name: section[name] for name in _TEXTS if isinstance(section.get(name), str)}
    at = {key: value for key, value in numbers.items() if key == "temperature_k"}
    if numbers.keys() - at.keys():
        rows.append(ResultRow(numbers, texts, section))
    for row in _mappings(section.get(_NESTED)):
        _read(row, texts, rows, refused, at)


def _quality(section: Mapping[str, Any]) -> dict[str, str]:
    """Return the worst quality of the parts of a section that enter its row."""
    parts = [section.get(key) for key in _SECTIONS]
    found = [each.get("quality") for each in parts if isinstance(each, Mapping)]
    return {"quality": "weak"} if "weak" in found else {"quality": "pass"} if "pass" in found else {}


def _numbers(
    section: Mapping[str, Any], refused: list[str], *, prefix: str = "", bare: bool = True
) -> dict[str, float]:
    """Return the numbers of a section and the intervals of the sections in it; the nearest of one name wins."""
    found: dict[str, float] = {}
    for key, value in section.items():
        name = f"{prefix}{_RENAMED.get(key, key)}"
        if key in _NO_PROPERTY or isinstance(value, bool):
            continue
        if isinstance(value, int | float) and bare and math.isfinite(value):
            found[_ended(name, section)] = float(value)
        elif (interval := _interval_in(value)) is not None:
            found.update(_interval(name, interval))
    for key in _SECTIONS:
        inner = section.get(key)
        if not isinstance(inner, Mapping):
            continue
        if inner.get("quality") == "refused":
            refused.append(f"{key}: {_reason(inner)}")
            continue
        for name, value in _inner(key, inner, refused).items():
            found.setdefault(f"{prefix}{name}", value)
    return found


def _inner(key: str, section: Mapping[str, Any], refused: list[str]) -> dict[str, float]:
    if key != "species":
        found = _numbers(section, refused, prefix=f"{_PREFIXED[key]}_" if key in _PREFIXED else "", bare=False)
        kelvin = section.get("temperature_k") if key == "expansion" else section.get("reference_k")
        return found | ({"temperature_k": float(kelvin)} if isinstance(kelvin, int | float) else {})
    if len(section) < 2:  # of one species they stand in the row itself
        return {}
    named = {name: each for name, each in section.items() if isinstance(each, Mapping)}
    return {
        f"{element}_{name}": value
        for element, each in named.items()
        if each.get("quality") != "refused"
        for name, value in _numbers(each, refused, bare=False).items()
    }


def _interval_in(value: Any) -> Mapping[str, Any] | None:
    """Return an interval, bare or that of an ensemble (``{"interval": …}``); None where there is none."""
    inner = value.get("interval", value) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) and {"value", "low", "high"} <= set(inner) else None


def _interval(name: str, interval: Mapping[str, Any]) -> dict[str, float]:
    """Return value and bounds; an interval that has one bound alone is a limit."""
    value, low, high = (_finite(interval[end]) for end in ("value", "low", "high"))
    found = {name: value, f"{name}_low": low, f"{name}_high": high}
    if value is None and high is not None and (low is None or low <= 0):
        found = {name: high, f"{name}_censored": -1.0}
    elif value is None and low is not None and high is None:
        found = {name: low, f"{name}_censored": 1.0}
    return {key: each for key, each in found.items() if each is not None}


def _ended(name: str, section: Mapping[str, Any]) -> str:
    """Return ``barrier_ev_low`` for ``barrier_low_ev``, where there is a ``barrier_ev``."""
    match = _END.match(name)
    if match is None or match["before"] + match["unit"] not in section:
        return name
    return f"{match['before']}{match['unit']}_{match['end']}"


def _series(document: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Yield rows of lists that stand beside a list of temperatures."""
    kelvins = document.get("temperatures_k")
    if not isinstance(kelvins, Sequence) or isinstance(kelvins, str) or document.get("quality") == "refused":
        return
    beside = {name: document.get(key) for key, name in _SERIES.items()}
    for at, kelvin in enumerate(kelvins):
        values = {
            name: _finite(each[at])
            for name, each in beside.items()
            if isinstance(each, Sequence) and len(each) == len(kelvins)
        }
        found = {name: value for name, value in values.items() if value is not None}
        if _finite(kelvin) is not None and found:
            yield {"temperature_k": float(kelvin), **found}


def _with_series(rows: list[ResultRow], series: list[ResultRow]) -> list[ResultRow]:
    """Return the rows with those of a series; what was found at a temperature with an interval completes its row."""
    kelvins = [row.numbers.get("temperature_k") for row in rows]
    found = list(rows)
    for row in series:
        kelvin = row.numbers["temperature_k"]
        if kelvins.count(kelvin) == 1:
            at = kelvins.index(kelvin)
            found[at] = replace(found[at], numbers={**row.numbers, **found[at].numbers})
        else:
            found.append(row)
    return found


def _mappings(thing: Any) -> list[Mapping[str, Any]]:
    return [each for each in thing if isinstance(each, Mapping)] if isinstance(thing, list | tuple) else []


def _finite(thing: Any) -> float | None:
    is_number = isinstance(thing, int | float) and not isinstance(thing, bool)
    return float(thing) if is_number and math.isfinite(thing) else None


def _refusal(section: Mapping[str, Any]) -> str:
    kelvin, name = section.get("temperature_k"), section.get("compound") or section.get("path")
    if name is None and "start" in section and "end" in section:
        name = f"hop {section['start']} → {section['end']}"
    said = [f"{kelvin:g} K" if isinstance(kelvin, int | float) else "", str(name or "")]
    return ": ".join([" ".join(part for part in said if part) or "the whole", _reason(section)])


def _reason(section: Mapping[str, Any]) -> str:
    reasons = section.get("reasons")
    first = str(reasons[0]) if isinstance(reasons, list | tuple) and reasons else "refused"
    return first if len(first) <= _SHOWN else f"{first[: _SHOWN - 1]}…"
