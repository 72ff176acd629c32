"""The figures of an elastic scan, of quasi-harmonic phonons, or of heated cells, a line each."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.analysis.results import Interval
    from mlip_sse.md_protocols.expansion_run import ThermalExpansionResult
    from mlip_sse.md_protocols.static_run import StaticResult

__all__ = ["elastic_table", "expansion_table", "heated_table"]

_ROWS = (
    ("K (GPa)", "bulk_gpa"),
    ("G (GPa)", "shear_gpa"),
    ("E (GPa)", "young_gpa"),
    ("ν", "poisson"),
    ("A_U", "anisotropy"),
)


def elastic_table(result: "StaticResult") -> str:
    """Return the elastic constants (GPa), the moduli with their intervals, and what speaks against them."""
    data = result.data
    lines = [f"{'space group':<15} {data['space_group']}"]
    if data["stiffness_gpa"] is not None:
        lines.append(f"C (GPa), xx yy zz yz xz xy of the conventional cell, {data['n_constants']} independent:")
        lines += ["".join(f"{round(value, 2) + 0.0:9.2f}" for value in row) for row in data["stiffness_gpa"]]
        lines.append(f"{'eigenvalues':<15} {', '.join(f'{value:.4g}' for value in data['eigenvalues_gpa'])} GPa")
    lines += [f"{name:<15} {_shown(data['moduli'][key])}" for name, key in _ROWS if key in data["moduli"]]
    if (volumes := data["bulk_from_volumes_gpa"]) is not None:
        voigt = data["moduli"].get("bulk_voigt_gpa")
        beside = "" if voigt is None else f"; {voigt['value']:.5g} from stresses (Voigt)"
        lines.append(f"{'K, volumes':<15} {_shown(volumes)}{beside}")
    lines += [f"{data['quality']:<15} {reason}" for reason in data["reasons"]]
    lines.append(f"{'was there already' if result.reused else 'written'}: {result.folder}")
    return "\n".join(lines)


def expansion_table(result: "StaticResult") -> str:
    """Return the expansion over temperatures, its coefficient with its span, and what speaks against it."""
    data, lines = result.data, []
    if data["temperatures_k"] is not None:
        lines.append(f"{'T (K)':>8} {'V (Å³/atom)':>12} {'α_V (1e-6/K)':>13} {'α_V/3':>8} {'K (GPa)':>8}")
        columns = ("temperatures_k", "equilibrium_volumes_a3_atom", "volumetric_expansions_per_k", "bulk_moduli_gpa")
        for kelvin, volume, slope, bulk in zip(*(data[name] for name in columns), strict=True):
            shown = [
                f"{volume:12.4f}" if volume is not None else f"{'-':>12}",
                *((f"{1e6 * slope:13.2f}", f"{1e6 * slope / 3:8.2f}") if slope is not None else ("-", "-")),
                f"{bulk:8.2f}" if bulk is not None else f"{'-':>8}",
            ]
            lines.append(f"{kelvin:8g} {' '.join(shown)}")
    if (linear := data["linear_expansion_per_k"]) is not None:
        low, value, high = (1e6 * linear[key] for key in ("low", "value", "high"))
        lines.append(f"linear, {data['reference_k']:g} K: {value:.2f} [{low:.2f}, {high:.2f}] 1e-6/K, a third of α_V")
    lines += [f"{data['quality']:<15} {reason}" for reason in data["reasons"]]
    lines.append(f"{'was there already' if result.reused else 'written'}: {result.folder}")
    return "\n".join(lines)


def heated_table(result: "ThermalExpansionResult") -> str:
    """Return volume and moduli at each temperature, the expansion tensor, and what speaks against it."""
    lines = [f"{'T (K)':>8} {'V (Å³)':>12}  {'K (GPa)':<24} {'G (GPa)':<24} moduli"]
    for run in result.runs:
        moduli = run["moduli"] or {"quality": "-"}
        bulk, shear = (_gpa(moduli.get(name)) for name in ("bulk", "shear"))
        volume = "-" if run["volume_a3"] is None else f"{run['volume_a3']:.3f}"
        lines.append(f"{run['temperature_k']:8g} {volume:>12}  {bulk:<24} {shear:<24} {moduli['quality']}")
    if (found := result.expansion) is not None:
        lines.append(f"expansion at {found.temperature_k:g} K in 1e-6/K, order {found.order}; rows of the tensor:")
        lines += ["".join(f"{1e6 * value + 0.0:9.2f}" for value in row) for row in found.tensor_per_k]
        low, value, high = (1e6 * each for each in (found.linear.low, found.linear.value or 0.0, found.linear.high))
        lines.append(f"linear (a third of the volumetric): {value:.2f} [{low:.2f}, {high:.2f}]")
    lines += [f"{result.verdict.quality:<15} {reason}" for reason in result.verdict.reasons]
    lines.append(f"in {result.folder}")
    return "\n".join(lines)


def _gpa(interval: "Interval | None") -> str:
    return "-" if interval is None else f"{interval.value:.4g} [{interval.low:.4g}, {interval.high:.4g}]"


def _shown(interval: dict[str, Any]) -> str:
    return f"{interval['value']:.5g} [{interval['low']:.5g}, {interval['high']:.5g}]"
