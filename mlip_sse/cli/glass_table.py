"""Glasses from the melt as a table for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlip_sse.analysis.glasses.ensemble import GlassEnsemble
    from mlip_sse.analysis.results import Interval
    from mlip_sse.md_protocols.glass_diffusion import GlassDiffusion
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
    if (ensemble := result.ensemble) is not None:
        lines += _ensemble(ensemble)
    lines.append(f"quenched  at {result.quench_rate_k_ps:g} K/ps, {result.n_atoms} atoms")
    if result.diffusion is not None:
        lines += _diffusion(result.diffusion)
    lines += [f"{result.verdict.quality:<9} {reason}" for reason in result.verdict.reasons]
    return "\n".join(lines)


def _ensemble(ensemble: "GlassEnsemble") -> list[str]:
    """Return a line for each figure of all glasses."""
    density = ensemble.density_g_cm3
    lines = [
        f"density   {_interval(density.interval, 4)} g/cm³, {density.interval.method}; glasses differ by "
        f"{density.between_sd:.4f} beyond their own {density.within_sd:.4f}"
    ]
    lines += [f"{name:<9} {_interval(share.interval, 3)} of the centres" for name, share in ensemble.units.items()]
    for what, found, unit in (
        ("bond", ensemble.bond, "Å in intact units"),
        ("distance", ensemble.ligand_distance, "Å to the ligands of the mobile ion, first peak"),
        ("around it", ensemble.coordination, "ligands"),
    ):
        if found is not None:
            lines.append(f"{what:<9} {_interval(found.interval, 3)} {unit}")
    tests = [each.bragg for each in ensemble.reports if each.bragg is not None]
    if tests:
        worst = max(tests, key=lambda test: test.sharpest / test.limit)
        lines.append(
            f"S(q)      sharpest peak {worst.sharpest:.0f} times the smooth part, a glass has {worst.limit:.0f}"
        )
    return lines


def _diffusion(diffusion: "GlassDiffusion") -> list[str]:
    lines = []
    for each in diffusion.temperatures:
        found = each["diffusivity_cm2_s"]
        if found is None:
            lines.append(f"D         at {each['temperature_k']:g} K: none")
            continue
        lines.append(
            f"D         at {each['temperature_k']:g} K: {found.value:.2e} [{found.low:.2e}, {found.high:.2e}] cm²/s, "
            f"{len(each['runs'])} glasses, between them ± {each['between_log_sd']:.0%}"
        )
    if (barrier := diffusion.activation_energy_ev) is not None:
        lines.append(f"Ea        {_interval(barrier, 3)} eV")
    return lines


def _interval(found: "Interval", digits: int) -> str:
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"
