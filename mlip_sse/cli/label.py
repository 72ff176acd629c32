"""``mlip-sse label``: label structures with a reference and add them to a dataset."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["command"]


def command(
    reference: Annotated[
        str, typer.Argument(help="chgnet, gpaw, vasp, cp2k, ase:MODULE:CLASS, or the path of a YAML spec.")
    ],
    structures: Annotated[list[Path], typer.Argument(help="Files that ASE reads, all their frames.")],
    out: Annotated[Path, typer.Option("--out", help="The dataset's folder; the tasks lie in tasks/ inside of it.")],
    workers: Annotated[int, typer.Option("--workers", min=1, help="Labels at a time.")] = 1,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Label structures with a reference; the same command again labels only what is missing."""
    from mlip_sse.dataset import Dataset
    from mlip_sse.references import load_reference

    chosen = load_reference(reference)
    atoms = [image for path in structures for image in _images(path)]
    chosen.require_ready()  # before anything is written
    dataset = Dataset(out, create=True)
    with _bar(len(atoms)) as progress:
        labels = chosen.label(atoms, out / "tasks", workers=workers, retry_failed=retry, progress=progress)
    added = dataset.add(labels)
    summary: dict[str, Any] = {
        "dataset": str(out),
        "reference": chosen.fingerprint.describe(),
        "n_structures": len(atoms),
        "n_labelled": labels.n_labelled,
        "n_reused": labels.n_reused,
        "n_added": added.n_added,
        "n_frames": len(dataset),
        "failures": [
            {
                "number": each.number,
                "formula": each.formula,
                "reason": each.reason,
                "folder": each.folder and str(each.folder),
            }
            for each in labels.failures
        ],
    }
    typer.echo(json.dumps(summary, indent=2, ensure_ascii=False) if as_json else _text(summary))
    if labels.failures and not labels.frames:
        raise typer.Exit(1)


def _text(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['reference']}: {summary['n_labelled']} labelled, {summary['n_reused']} there already, "
        f"{len(summary['failures'])} failed",
        f"{summary['dataset']}: {summary['n_added']} added, {summary['n_frames']} frames",
    ]
    lines += [f"  structure {each['number']} ({each['formula']}): {each['reason']}" for each in summary["failures"]]
    return "\n".join(lines)


def _images(path: Path) -> "list[Atoms]":
    """Read all frames of a file; each knows its trajectory and its place in it."""
    from ase.io import read

    from mlip_sse.errors import FormatError

    if not path.is_file():
        raise FormatError(f"{path}: found no such file, expected structures that ASE reads")
    try:
        images: list[Atoms] = read(path, index=":")
    except Exception as error:  # ASE's parsers raise whatever they stumble over
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise FormatError(f"{path}: ASE cannot read it ({reason}), expected structures") from error
    for place, image in enumerate(images):
        image.calc = None
        image.info.setdefault("group", path.stem)
        image.info.setdefault("place", place)
    return images


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, over those that are not there already."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("labelling", total=total)
        yield lambda done, of: shown.update(task, completed=done, total=of)
