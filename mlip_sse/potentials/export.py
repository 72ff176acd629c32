"""Hand a potential over to LAMMPS: its files and a deck that runs, after all gates have passed."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ase import Atoms

from mlip_sse.errors import InputError, RunError
from mlip_sse.potentials.contract import CARD_FILE, LammpsInput, Potential
from mlip_sse.potentials.gates import GATES, GateResult, from_plain, run_gates, shipped_structures
from mlip_sse.potentials.gates.deck_check import run_program
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.whole_folder import folder_put_in_place

__all__ = ["DATA_FILE", "DECK_FILE", "Exported", "export"]

DECK_FILE = "in.lammps"
DATA_FILE = "structure.data"

_EVERYWHERE = ("parity",)  # depends on the LAMMPS of this machine, so that no card vouches for it
_TRIAL_STEPS = 10
_DECK = """\
# A short run with the potential of card.json, on one of its structures.
# lmp -in {deck}   or   lmp -in {deck} -var steps 100000 -var kelvin 600
variable        steps index 1000
variable        kelvin index {kelvin:g}

units           metal
boundary        p p p
atom_style      {atom_style}
box             tilt large
read_data       {data}

{commands}
neighbor        1.5 bin
neigh_modify    every 1 delay 0 check yes

timestep        0.002
velocity        all create ${{kelvin}} 4928 mom yes rot no dist gaussian
fix             move all nvt temp ${{kelvin}} ${{kelvin}} 0.1
thermo          100
thermo_style    custom step temp pe etotal press
run             ${{steps}}
"""


@dataclass(frozen=True)
class Exported:
    """What `export` wrote, and the gates it stands on.

    Parameters
    ----------
    folder
        Where deck, data file, model files and card lie.
    gates
        Every gate, also those that the card vouched for.
    skipped
        Gates that the caller left out.
    """

    folder: Path
    gates: dict[str, GateResult]
    skipped: tuple[str, ...]


def export(
    potential: Potential,
    folder: str | Path,
    *,
    structures: Sequence[Atoms] | None = None,
    skip: Iterable[str] = (),
    progress: Callable[[float, str], None] | None = None,
) -> Exported:
    """Run the gates that the card does not vouch for, then write LAMMPS files and a deck.

    Parameters
    ----------
    potential
        Any potential.
    folder
        A new or empty folder, or an earlier export, which is replaced.
    structures
        Where the gates run, and the first in the deck; None: training structures from the card, else shipped crystals.
    skip
        Gates to leave out; the exported card says so.
    progress
        Called with the share done and a line to show.

    Raises
    ------
    RunError
        When a gate fails, naming it and what it found, or LAMMPS does not run the deck; nothing is written.
    InputError
        When ``folder`` holds something else, or there is no structure to test with.
    """
    folder, left_out = Path(folder), tuple(skip)
    if unknown := [name for name in left_out if name not in GATES]:
        raise InputError(f"found no gate {unknown[0]!r}, expected some of {', '.join(GATES)}")
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / DECK_FILE).is_file())):
        raise InputError(f"{folder}: found other files, expected an earlier export, an empty folder or none")
    known = list(structures) if structures else _structures(potential)
    gates = _gates(potential, known, left_out, progress)
    if failed := [result for result in gates.values() if not result.passed]:
        raise RunError(
            f"potential {potential.card.name!r} is not exported, {len(failed)} of {len(gates)} gates failed: "
            + "; ".join(result.describe() for result in failed)
        )
    _write(potential, known[0], gates, left_out, folder)
    return Exported(folder, gates, left_out)


def _structures(potential: Potential) -> list[Atoms]:
    plain = potential.card.data.get("structures")
    return from_plain(plain) if plain else shipped_structures(potential)


def _gates(
    potential: Potential,
    structures: Sequence[Atoms],
    left_out: Sequence[str],
    progress: Callable[[float, str], None] | None,
) -> dict[str, GateResult]:
    vouched = {
        name: GateResult(**plain)
        for name, plain in potential.card.gates.items()
        if name in GATES and name not in (*_EVERYWHERE, *left_out) and plain["found"] is not None
    }
    missing = [name for name in GATES if name not in vouched and name not in left_out]
    found: dict[str, GateResult] = {}
    for number, name in enumerate(missing):
        if progress is not None:
            progress(number / len(missing), f"gate {name}")
        found |= run_gates(potential, structures, [name])
        if not found[name].passed:  # the later gates take minutes
            break
    return {name: (vouched | found)[name] for name in GATES if name in vouched | found}


def _write(
    potential: Potential, atoms: Atoms, gates: dict[str, GateResult], left_out: Sequence[str], folder: Path
) -> None:
    """Write beside the folder, let LAMMPS run the deck there, and put it in place."""
    lines = potential.lammps()
    card = replace(
        potential.card,
        gates={name: result.to_dict() for name, result in gates.items()},
        data={**potential.card.data, "gates_skipped": list(left_out)},
    )
    with folder_put_in_place(folder) as partial:
        for file in lines.files:
            shutil.copy(file, partial)
        (partial / DATA_FILE).write_text(data_text(atoms, lines), encoding="utf-8")
        (partial / DECK_FILE).write_text(_deck(potential, lines), encoding="utf-8")
        wanted = {path.name for path in partial.iterdir()}
        run_program(partial, DECK_FILE, variables={"steps": str(_TRIAL_STEPS)})
        for path in partial.iterdir():
            if path.name not in wanted:
                path.unlink()
        text = json.dumps(card.to_dict(), indent=2, ensure_ascii=False)
        (partial / CARD_FILE).write_text(f"{text}\n", encoding="utf-8")


def _deck(potential: Potential, lines: LammpsInput) -> str:
    # Neither name nor description: a quote or an ampersand of a user has no place in a deck.
    return _DECK.format(
        deck=DECK_FILE,
        data=DATA_FILE,
        kelvin=potential.card.temperature_k[0],
        atom_style=lines.atom_style,
        commands="\n".join(lines.commands),
    )
