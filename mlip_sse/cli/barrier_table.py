"""The barriers of a crystal as a table for people."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.md_protocols.barrier_tasks import NebResult

__all__ = ["barrier_table"]


def barrier_table(result: "NebResult") -> str:
    """Return a line for each hop, what speaks against it, and where its images lie."""
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
        lines += [f"{'':9} {reason}" for reason in hop["reasons"]]
        if hop["band"] is not None:
            lines.append(f"{'':9} {hop['band']['file']}")
    return "\n".join(lines)


def _interval(barrier: dict[str, Any] | None) -> str:
    return "-" if barrier is None else f"{barrier['value']:.3f} [{barrier['low']:.3f}, {barrier['high']:.3f}]"


def _spread(committee: dict[str, Any] | None) -> str:
    if committee is None:
        return "-"
    forward = committee["barrier_forward_ev"]
    return f"± {forward['high'] - forward['value']:.3f}"
