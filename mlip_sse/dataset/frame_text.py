"""Frames as extended XYZ text, in either key convention, and the text of our own shards back into frames."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame, voigt
from mlip_sse.dataset.whole_files import written_whole
from mlip_sse.errors import FormatError, InputError

__all__ = ["Convention", "frame_text", "read_shard", "write_extxyz"]

Convention = Literal["plain", "ref"]
"""``plain``: energy, forces, stress, which ASE puts into a calculator; ``ref``: REF_energy, REF_forces, REF_stress."""

_PREFIX = {"plain": "", "ref": "REF_"}


def frame_text(frame: LabelledFrame, convention: Convention = "plain") -> str:
    """Return one frame as extended XYZ: positions to 1e-8 Å, labels to every digit."""
    if convention not in _PREFIX:
        raise InputError(f"found the convention {convention!r}, expected one of {', '.join(_PREFIX)}")
    prefix = _PREFIX[convention]
    parts = [
        f'Lattice="{_numbers(frame.cell)}"',
        f"Properties=species:S:1:pos:R:3:{prefix}forces:R:3",
        f"{prefix}energy={frame.energy!r}",
    ]
    if frame.stress is not None:
        parts.append(f'{prefix}stress="{_numbers(frame.stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]])}"')
    parts.append(f'pbc="{" ".join("T" if flag else "F" for flag in frame.pbc)}"')
    if frame.group:
        parts.append(f'group="{frame.group}"')
    parts.append(f"place={frame.place}")
    rows = [
        f"{symbol:2s} {x:.8f} {y:.8f} {z:.8f} {fx!r} {fy!r} {fz!r}\n"
        for symbol, (x, y, z), (fx, fy, fz) in zip(
            frame.symbols, frame.positions.tolist(), frame.forces.tolist(), strict=True
        )
    ]
    return f"{frame.n_atoms}\n{' '.join(parts)}\n{''.join(rows)}"


def write_extxyz(path: str | Path, frames: Iterable[LabelledFrame], convention: Convention = "plain") -> Path:
    """Write labelled frames for other programs; the file appears whole or not at all.

    Parameters
    ----------
    path
        Where to.
    frames
        What.
    convention
        ``plain`` for ASE, NequIP and most others, ``ref`` for those that want REF_energy, REF_forces and REF_stress.
    """
    path = Path(path)
    with written_whole(path) as stream:
        stream.writelines(frame_text(frame, convention) for frame in frames)
    return path


def read_shard(path: Path, rows: Sequence[Mapping[str, Any]], prints: Mapping[str, Fingerprint]) -> list[LabelledFrame]:
    """Read a shard of a dataset, each frame with its row of the index.

    Raises
    ------
    FormatError
        When the text is not what the index says.
    """
    with open(path, encoding="utf-8") as stream:
        frames = []
        for row, (comment, symbols, numbers) in zip(rows, _blocks(stream, path), strict=False):
            stress = comment.get("stress")
            frames.append(
                LabelledFrame(
                    symbols=symbols,
                    cell=np.array(comment["Lattice"].split(), dtype=float).reshape(3, 3),
                    positions=numbers[:, :3],
                    energy=float(comment["energy"]),
                    forces=numbers[:, 3:],
                    stress=None if stress is None else voigt([float(word) for word in stress.split()]),
                    fingerprint=prints[row["fingerprint"]],
                    group=row["group"],
                    place=row["place"],
                    pbc=tuple(flag == "T" for flag in comment["pbc"].split()),  # type: ignore[arg-type]
                )
            )
    if len(frames) != len(rows):
        raise FormatError(f"{path}: found {len(frames)} frames, expected {len(rows)} by the index beside it")
    return frames


def _blocks(stream: TextIO, path: Path) -> Iterator[tuple[dict[str, str], tuple[str, ...], np.ndarray]]:
    while line := stream.readline():
        n_atoms = int(line)
        comment = _comment(stream.readline())
        words = "".join(stream.readline() for _ in range(n_atoms)).split()
        if len(words) != 7 * n_atoms:
            raise FormatError(f"{path}: found {len(words)} columns for {n_atoms} atoms, expected {7 * n_atoms}")
        numbers = np.array([word for at, word in enumerate(words) if at % 7], dtype=float).reshape(n_atoms, 6)
        yield comment, tuple(words[::7]), numbers


def _comment(line: str) -> dict[str, str]:
    """Return the keys of a comment line that `frame_text` wrote."""
    pieces = line.rstrip("\n").split('"')  # outside, inside, outside, ...
    found: dict[str, str] = {}
    for at in range(0, len(pieces), 2):
        words = pieces[at].split()
        for word in words:
            key, _, value = word.partition("=")
            found[key] = value
        if words and words[-1].endswith("=") and at + 1 < len(pieces):
            found[words[-1][:-1]] = pieces[at + 1]
    return found


def _numbers(array: np.ndarray) -> str:
    return " ".join(repr(number) for number in array.ravel().tolist())
