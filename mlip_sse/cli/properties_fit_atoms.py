"""``mlip-sse properties fit-atoms``: learn a property of atoms from a few frames, and try it on others."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    frames: Annotated[list[str], typer.Argument(help="Frames to learn from: FILE or FILE@start:stop:step.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the model.")],
    column: Annotated[str | None, typer.Option("--column", help="Column of an extended XYZ, a number an atom.")] = None,
    charges: Annotated[
        str | None, typer.Option("--charges", help="Learn the Ewald potential of these, such as Li=1,P=5,S=-2.")
    ] = None,
    site_energies: Annotated[
        str | None, typer.Option("--site-energies", help="Learn the site energies of a surrogate: chgnet.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="Of the column.")] = "",
    test: Annotated[list[str] | None, typer.Option("--test", help="Frames to try it on; repeat it.")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Regressor; of several the best on unseen blocks is kept.")
    ] = None,
    frame_spacing_fs: Annotated[
        float | None, typer.Option("--frame-spacing-fs", help="Where files do not say.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Learn a property of atoms from what surrounds them; errors on whole blocks of frames, and on other files."""
    from mlip_sse.analysis.results import to_json
    from mlip_sse.properties.atoms.atom_model import atom_errors, fit_atoms
    from mlip_sse.properties.atoms.frame_files import Truth, labelled_frames, truth_of

    truth = truth_of(column, charges, site_energies) or Truth()
    given = [labelled_frames(text, truth, frame_spacing_fs) for text in frames]
    what, of = truth.what, truth.unit(unit)
    structures, values = [atoms for part, _ in given for atoms in part], [each for _, part in given for each in part]
    chosen = tuple(model or ("linear", "gaussian_process"))
    fitted = fit_atoms(structures, values, what=what, unit=of, models=chosen, runs=[len(part) for part, _ in given])
    fitted.write(out)
    tried = {}
    for text in test or []:
        tried[text] = atom_errors(fitted, *labelled_frames(text, truth, frame_spacing_fs))
    parts = dict(zip(fitted.surroundings.elements, fitted.parts, strict=True))
    unseen = {element: part.kept.error for element, part in parts.items()}
    if as_json:
        typer.echo(to_json({"property": what, "unit": of, "unseen_blocks_mae": unseen, "tests": tried}))
        return
    shown = ", ".join(f"{element} {part.kept.error:.3g} ({part.kept.model})" for element, part in parts.items())
    typer.echo(
        f"{what}: mean absolute error in {of or 'its unit'} on unseen blocks of {len(structures)} frames: {shown}"
    )
    for text, rows in tried.items():
        typer.echo(f"{text}\n  element  error  95 % interval    mean   null  in 90 %  outside  far")
        for row in rows:
            typer.echo(
                f"  {row.element:7} {row.mae:6.3f}  {row.low:.3f} … {row.high:.3f}  {row.baseline:6.3f} {row.null:6.3f}"
                f"  {100 * row.covered:5.1f} %  {100 * row.outside:5.1f} %  {100 * row.far:3.0f} %"
            )
    typer.echo(f"written: {out}")
