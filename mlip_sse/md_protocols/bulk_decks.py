"""Decks of bulk diffusion: constant pressure for the mean cell, then segments at constant volume, each from the last.

Every segment but the first starts from the restart file of the one before it, in a kill or not, so that a run that was
interrupted writes the same trajectory, byte by byte, as one that was not.
"""

from mlip_sse.md_protocols.bulk_specs import BulkDynamicsSpec
from mlip_sse.md_protocols.deck import number_text, seeds_of
from mlip_sse.potentials import LammpsInput

__all__ = ["CELL_FILE", "END_FILE", "PREVIOUS_FILE", "cell_deck", "segment_deck"]

CELL_FILE, END_FILE, PREVIOUS_FILE = "cell.txt", "end.restart", "previous.restart"

_DAMP_PS, _BAROSTAT_PS = 0.1, 1.0
_CELL_SAMPLES = 400
_BARS_PER_GPA = 1e4


def cell_deck(spec: BulkDynamicsSpec, lines: LammpsInput, temperature_k: float) -> str:
    """Return the deck that samples the cell at constant pressure."""
    steps = spec.steps(spec.cell_ps)
    every = max(1, steps // _CELL_SAMPLES)
    span, push = (
        f"{number_text(temperature_k)} {number_text(temperature_k)}",
        number_text(spec.pressure_gpa * _BARS_PER_GPA),
    )
    barostat = {"isotropic": "iso", "orthogonal": "aniso", "triclinic": "tri"}[spec.cell]
    sides = ("lx", "ly", "lz", "xy", "xz", "yz")
    return "\n".join(
        [
            *_head(lines),
            *(["change_box all triclinic"] if spec.cell == "triclinic" else []),
            *_potential(spec, lines, steps),
            _velocities(temperature_k, seeds_of(1, temperature_k)[0]),
            f"fix move all npt temp {span} {number_text(_DAMP_PS)} {barostat} {push} {push} {_BAROSTAT_PS}",
            *_guard(temperature_k),
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
            *_head(lines),
            *_potential(spec, lines, n_steps),
            _velocities(temperature_k, velocity_seed),
            *_guard(temperature_k),
            f"fix settle all nvt temp {span} {number_text(_DAMP_PS)}",
            f"run {settle}",
            "unfix settle",
            "velocity all zero linear",
            "reset_timestep 0 time 0.0",
        ]
    else:
        start = [f"read_restart {PREVIOUS_FILE}", *_potential(spec, lines, n_steps), *_guard(temperature_k)]
    return "\n".join(
        [
            *start,
            "fix move all nve",
            f"fix hold all temp/csvr {span} {number_text(spec.time_constant_fs / 1000)} {thermostat_seed}",
            f"dump production all custom {spec.dump_steps} production.lammpstrj id type element x y z ix iy iz",
            f"dump_modify production sort id element {' '.join(lines.elements)} units yes time yes format float %.5f",
            'print "mlip-sse: production"',
            f"run {n_steps}",
            f"write_restart {END_FILE}",
            'print "mlip-sse: finished"',
            "",
        ]
    )


def _velocities(temperature_k: float, seed: int) -> str:
    return f"velocity all create {number_text(2 * temperature_k)} {seed} mom yes rot no dist gaussian"


def _head(lines: LammpsInput) -> list[str]:
    return [
        "units metal",
        "boundary p p p",
        f"atom_style {lines.atom_style}",
        "box tilt large",
        "read_data structure.data",
    ]


def _potential(spec: BulkDynamicsSpec, lines: LammpsInput, n_steps: int) -> list[str]:
    return [
        *lines.commands,
        "neighbor 1.5 bin",
        "neigh_modify every 1 delay 0 check yes",
        f"timestep {number_text(spec.timestep_fs / 1000)}",
        f"thermo {max(1, min(1000, n_steps // 50))}",
        "thermo_style custom step temp pe etotal press density",
        "thermo_modify flush yes",
    ]


def _guard(temperature_k: float) -> list[str]:
    """Stop what explodes: no thermostat lets a stable run become three times as hot."""
    limit = max(3 * temperature_k, temperature_k + 1500)
    return ["variable hot equal temp", f"fix guard all halt 50 v_hot > {number_text(limit)} error hard message yes"]
