"""An interface in time, or its energies, as a table for people."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.analysis.results import Interval
    from mlip_sse.md_protocols.interface_anneal import InterfaceAnnealResult
    from mlip_sse.md_protocols.interface_energy_run import InterfaceEnergyResult

__all__ = ["anneal_table", "interface_energy_table"]

_J_M2 = 16.02176634


def anneal_table(result: "InterfaceAnnealResult") -> str:
    """Return how the cell was built, a line for each run, and what is to be said of them."""
    cell = result.cell
    lines = _built(result.interface)
    lines.append(
        f"{'relaxed':<14} height {cell['height_a']:.2f} Å ({cell['height_change']:+.2%}), left: "
        f"{cell['max_force_ev_a']:.2g} eV/Å, {cell['pressure_z_gpa']:.2f} GPa along z"
    )
    lines.append(f"{'thermostats':<14} {' and '.join(map(str, cell['n_atoms_of_layer']))} of {cell['n_atoms']} atoms")
    lines.append(
        f"{'T (K)':>8} {'seed':>10} {'between (K)':>12} {'peak':>6} {'ΔE (meV/atom)':>14} {'heat out (eV)':>14} "
        f"{'Pz (GPa)':>9} {'alarm':>9} {'frames':>7}  verdict"
    )
    for run in result.runs:
        lines.append(
            f"{run['temperature_k']:8g} {run['seed']:10d} {_figures(run)} {run['n_frames']:7d}  {run['quality']}"
        )
        lines += [f"{'':19} {run['trajectory']}"] if run["trajectory"] is not None else []
    lines += [f"{result.verdict.quality:<14} {reason}" for reason in result.verdict.reasons]
    return "\n".join(lines)


def _figures(run: dict[str, Any]) -> str:
    if not run["n_segments_done"]:
        return f"{'-':>12} {'-':>6} {'-':>14} {'-':>14} {'-':>9} {'-':>9}"
    grades = run["grades"]
    alarm = "-" if grades is None else f"{grades['n_above_alarm']}/{grades['n_frames']}"
    return (
        f"{run['inner_temperature_k']:12.1f} {run['inner_peak_k']:6.0f} {1000 * run['energy_change_ev_atom']:14.2f} "
        f"{sum(run['heat_left_ev']):14.2f} {run['pressure_z_gpa']:9.3f} {alarm:>9}"
    )


def interface_energy_table(result: "InterfaceEnergyResult") -> str:
    """Return how the cell was built, its energies, the scan of the gap, and what is to be said of them."""
    found = result.energies
    rows: list[tuple[str, str]] = [
        ("adhesion", _per_area(found.work_of_adhesion)),
        ("formation", _per_area(found.formation.chemical)),
        ("strain", "-" if found.formation.strain is None else _per_area(found.formation.strain)),
        ("surface a, b", ", ".join(f"{each * _J_M2:.4f}" for each in found.surface_ev_a2) + " J/m²"),
        ("strain a, b", ", ".join(f"{1000 * each:.3f}" for each in found.strain_ev_atom) + " meV/atom"),
        (
            "reaction",
            f"{1000 * (found.reaction_ev_atom.value or 0.0):.2f} meV for each of {found.n_interface_atoms} atoms, "
            f"{'configuration' if 'configuration' in found.parts else 'relaxed interface'}",
        ),
        ("gap (Å)", " ".join(f"{point.gap_a:9.2f}" for point in found.gaps)),
        (
            "rigid (J/m²)",
            " ".join(
                "        -" if p.adhesion_ev_a2 is None else f"{p.adhesion_ev_a2 * _J_M2:9.4f}" for p in found.gaps
            ),
        ),
    ]
    lines = [*_built(result.interface), *(f"{name:<14} {text}" for name, text in rows)]
    lines += [f"{found.verdict.quality:<14} {reason}" for reason in found.verdict.reasons]
    lines.append(f"{'relaxed':<14} {found.parts['interface'].file}")
    return "\n".join(lines)


def _per_area(energy: "Interval") -> str:
    value = energy.value or 0.0
    return f"{value:.6f} eV/Å², {value * _J_M2:.4f} J/m²"


def _built(interface: dict[str, Any] | None) -> list[str]:
    if interface is None:
        return []
    sides = [
        f"{'side ' + side:<14} ({' '.join(map(str, interface['millers'][side]))}), {interface['terminations'][side]}, "
        f"{interface['thickness_a'][side]:.1f} Å"
        for side in "ab"
    ]
    return [
        f"{'interface':<14} {interface['formula']}, {interface['n_interfaces']} of {interface['area_a2']:.1f} Å², "
        f"strain {interface['max_strain']:.2%}",
        *sides,
    ]
