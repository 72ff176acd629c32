"""The barriers of a crystal, or of many, as a table for people."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.md_protocols.barrier_tasks import NebResult
    from mlip_sse.md_protocols.neb_batch import NebBatchResult

__all__ = ["barrier_table", "batch_table"]


def barrier_table(result: "NebResult") -> str:
    """Return a line for each hop, what speaks against it, what stands beside it, and where its images lie."""
    barriers = f"{'forward (eV)':^24} {'back (eV)':^24} {'ΔE (eV)':>8} {'committee':>9}"
    head = f"{'sites':>9} {'Å':>6} {'hops':>5} {barriers}  verdict"
    lines = [head]
    for hop in result.hops:
        sites = f"{hop['start']} → {hop['end']}"
        forward, back = (_interval(hop.get(f"barrier_{name}_ev")) for name in ("forward", "backward"))
        energy = hop.get("reaction_energy_ev")
        lines.append(
            f"{sites:>9} {hop['distance_a']:6.3f} {hop['n_equivalent']:5d} {forward:^24} {back:^24} "
            f"{'-' if energy is None else f'{energy:.3f}':>8} {_spread(hop.get('committee')):>9}  {hop['quality']}"
        )
        lines += [f"{'':9} {line}" for line in (*_kind(hop), *hop["reasons"], *_frequency(hop), *_reference(hop))]
        if hop["band"] is not None:
            lines.append(f"{'':9} {hop['band']['file']}")
    return "\n".join(lines)


def batch_table(result: "NebBatchResult") -> str:
    """Return a line for each hop of each compound, and where the whole table lies."""
    lines = [
        f"{'compound':<12} {'Å':>6} {'forward (eV)':^24} {'back':>6} {'ν* (THz)':>9} {'bottleneck (Å)':>14}  verdict"
    ]
    for row in result.rows:
        forward = {name: row.get(f"barrier_forward{end}_ev") for name, end in _ENDS}
        shown = "-" if forward["low"] is None else _interval(forward)
        lines.append(
            f"{row['compound']:<12} {_number(row.get('hop_distance_a'), 3):>6} {shown:^24} "
            f"{_number(row.get('barrier_backward_ev'), 3):>6} "
            f"{_number(row.get('attempt_frequency_forward_thz'), 2):>9} "
            f"{_number(row.get('bottleneck_clearance_a'), 3):>14}  {row['quality']}"
        )
        lines += [f"{'':12} {reason}" for reason in row["reasons"]]
    return "\n".join([*lines, result.table])


_ENDS = (("value", ""), ("low", "_low"), ("high", "_high"))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _kind(hop: dict[str, Any]) -> list[str]:
    """Return what hops, where it is no vacancy."""
    lines = []
    if "mechanism" in hop:
        angle = hop["angle_deg"]
        lines.append(hop["mechanism"] + ("" if angle is None else f", pushing an ion on at {angle:.0f}°"))
    if hop.get("n_reordered"):
        lines.append(f"{hop['n_reordered']} atoms of the second structure were numbered anew")
    return lines


def _frequency(hop: dict[str, Any]) -> list[str]:
    found = hop.get("attempt_frequency")
    if found is None:
        return []
    lines = []
    for name in ("forward", "backward"):
        value = found[name]["frequency_thz"]
        shown = "-" if value is None else f"{value['value']:.3g} [{value['low']:.3g}, {value['high']:.3g}] THz"
        lines.append(f"attempt frequency {name} {shown}")
        lines += [f"  {reason}" for reason in found[name]["reasons"]]
    return lines


def _reference(hop: dict[str, Any]) -> list[str]:
    """Return the reference's barriers on the images, the potential's error, and the path's."""
    found = hop.get("on_reference")
    if found is None or found["energies_ev"] is None:
        return [] if found is None else list(found["reasons"])
    lines = []
    for name in ("forward", "backward"):
        path = found[f"path_error_{name}_ev"]
        lines.append(
            f"{found['reference']} on these images, {name}: {found[f'barrier_{name}_ev']:.3f} eV, potential "
            f"{found[f'potential_error_{name}_ev']:+.3f}"
            + ("" if path is None else f", path {path:+.3f} (its own band: {found[f'own_barrier_{name}_ev']:.3f} eV)")
        )
    return lines


def _interval(barrier: dict[str, Any] | None) -> str:
    return "-" if barrier is None else f"{barrier['value']:.3f} [{barrier['low']:.3f}, {barrier['high']:.3f}]"


def _spread(committee: dict[str, Any] | None) -> str:
    if committee is None:
        return "-"
    forward = committee["barrier_forward_ev"]
    return f"± {forward['high'] - forward['value']:.3f}"
