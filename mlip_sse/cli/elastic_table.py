"""The figures of an elastic scan, a line each."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.md_protocols.static_run import StaticResult

__all__ = ["elastic_table"]

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


def _shown(interval: dict[str, Any]) -> str:
    return f"{interval['value']:.5g} [{interval['low']:.5g}, {interval['high']:.5g}]"
