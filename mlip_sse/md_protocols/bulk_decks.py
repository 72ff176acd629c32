"""Decks of bulk diffusion: constant pressure for the mean cell, then segments at constant volume, each from the last.

Every segment but the first starts from the restart file of the one before it, in a kill or not, so that a run that was
interrupted writes the same trajectory, byte by byte, as one that was not.
"""

from mlip_sse.md_protocols.bulk_specs import BulkDynamicsSpec
from mlip_sse.md_protocols.deck import current_lines, number_text, seeds_of
from mlip_sse.md_protocols.segment_decks import (
    BAROSTAT_PS,
    BARS_PER_GPA,
    DAMP_PS,
    PREVIOUS_FILE,
    dump_lines,
    end_lines,
    guard_lines,
    head_lines,
    potential_lines,
    velocity_line,
)
from mlip_sse.potentials import LammpsInput

__all__ = ["CELL_FILE", "cell_deck", "segment_deck"]

CELL_FILE = "cell.txt"

_CELL_SAMPLES = 400


def cell_deck(spec: BulkDynamicsSpec, lines: LammpsInput, temperature_k: float) -> str:
    """Return the deck that samples the cell at constant pressure."""
    steps = spec.steps(spec.cell_ps)
    every = max(1, steps // _CELL_SAMPLES)
    span, push = (
        f"{number_text(temperature_k)} {number_text(temperature_k)}",
        number_text(spec.pressure_gpa * BARS_PER_GPA),
    )
    barostat = {"isotropic": "iso", "orthogonal": "aniso", "triclinic": "tri"}[spec.cell]
    sides = ("lx", "ly", "lz", "xy", "xz", "yz")
    return "\n".join(
        [
            *head_lines(lines),
            *(["change_box all triclinic"] if spec.cell == "triclinic" else []),
            *potential_lines(lines, spec.timestep_fs, steps),
            velocity_line(temperature_k, seeds_of(1, temperature_k)[0]),
            f"fix move all npt temp {span} {number_text(DAMP_PS)} {barostat} {push} {push} {BAROSTAT_PS}",
            *guard_lines(temperature_k),
            *(f"variable {side} equal {side}" for side in sides),
            f"fix cell all ave/time {every} 1 {every} {' '.join(f'v_{side}' for side in sides)} file {CELL_FILE} "
            "format ' %.10g'",
            f"run {steps}",
            'print "mlip-sse: finished"',
            "",
        ]
    )


def segment_deck(
    spec: BulkDynamicsSpec, lines: LammpsInput, temperature_k: float, seed: int, n_steps: int, *, is_first: bool
) -> str:
    """Return the deck of one segment of production."""
    velocity_seed, thermostat_seed = seeds_of(seed, temperature_k)
    span = f"{number_text(temperature_k)} {number_text(temperature_k)}"
    if is_first:
        settle = spec.steps(spec.settle_ps)
        start = [
            *head_lines(lines),
            *potential_lines(lines, spec.timestep_fs, n_steps),
            velocity_line(temperature_k, velocity_seed),
            *guard_lines(temperature_k),
            f"fix settle all nvt temp {span} {number_text(DAMP_PS)}",
            f"run {settle}",
            "unfix settle",
            "velocity all zero linear",
            "reset_timestep 0 time 0.0",
        ]
    else:
        start = [
            f"read_restart {PREVIOUS_FILE}",
            *potential_lines(lines, spec.timestep_fs, n_steps),
            *guard_lines(temperature_k),
        ]
    return "\n".join(
        [
            *start,
            "fix move all nve",
            f"fix hold all temp/csvr {span} {number_text(spec.time_constant_fs / 1000)} {thermostat_seed}",
            *(() if spec.current_steps is None else current_lines(spec.current_steps)),
            *dump_lines(lines, spec.dump_steps),
            *end_lines(n_steps),
        ]
    )
