"""Glasses from the melt as a table for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlip_sse.md_protocols.melt_run import MeltQuenchResult

__all__ = ["glass_table"]


def glass_table(result: "MeltQuenchResult") -> str:
    """Return a line for each glass, the mean density, and what is to be said of it."""
    lines = [f"{'seed':>9} {'moved in the melt (Å)':<30} {'g/cm³':>7} {'± ':>7} {'T (K)':>7} {'P (GPa)':>8}  structure"]
    for each in result.glasses:
        melt, glass = each["melt"], each["glass"]
        moved = "-" if melt is None else ", ".join(f"{name} {far:.1f}" for name, far in melt["displacements_a"].items())
        if glass is None:
            ended = each["ended"]
            lines.append(f"{each['seed']:9d} {moved:<30} ended in the {ended['stage']}: {ended['kind']}")
        else:
            state = f"{glass['density_g_cm3']:7.4f} {glass['density_error_g_cm3']:7.4f} {glass['temperature_k']:7.1f}"
            lines.append(f"{each['seed']:9d} {moved:<30} {state} {glass['pressure_gpa']:8.3f}  {glass['structure']}")
    if (density := result.density_g_cm3) is not None and density.value is not None:
        lines.append(f"density   {density.value:.4f} [{density.low:.4f}, {density.high:.4f}] g/cm³, {density.method}")
    lines.append(f"quenched  at {result.quench_rate_k_ps:g} K/ps, {result.n_atoms} atoms")
    lines += [f"{result.verdict.quality:<9} {reason}" for reason in result.verdict.reasons]
    return "\n".join(lines)
