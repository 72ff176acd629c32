"""``mlip-sse properties spectrum``: a property of all atoms along a trajectory, as a spectrum."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]

_FAR = 0.2


def command(
    trajectory: Annotated[str, typer.Argument(help="A trajectory: FILE or FILE@start:stop:step.")],
    model: Annotated[Path, typer.Option("--model", help="Folder that 'properties fit-atoms' wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for spectrum.csv, spectrum.png and spectrum.svg.")],
    width: Annotated[float, typer.Option("--width", help="Of the Gaussian, in the unit of the property.")] = 0.1,
    environments: Annotated[
        bool, typer.Option("--environments", help="By the classes of 'analyze interphase', not by element.")
    ] = False,
    blocks: Annotated[int, typer.Option("--blocks", help="Of time, for the intervals.")] = 10,
    frame_spacing_fs: Annotated[
        float | None, typer.Option("--frame-spacing-fs", help="Where files do not say.")
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", help="The truth, to compare with: a column of this extended XYZ.")
    ] = None,
    charges: Annotated[
        str | None, typer.Option("--charges", help="The truth, to compare with: the Ewald potential of these.")
    ] = None,
    site_energies: Annotated[
        str | None, typer.Option("--site-energies", help="The truth, to compare with: of a surrogate, chgnet.")
    ] = None,
) -> None:
    """Predict a property of each atom in each frame; spectrum by element or surroundings, beside the truth if given."""
    import numpy as np

    from mlip_sse.properties.atoms.along import spectra_along
    from mlip_sse.properties.atoms.atom_model import read_atom_model
    from mlip_sse.properties.atoms.frame_files import labelled_frames, plain_frames, truth_of
    from mlip_sse.properties.atoms.spectrum_comparison import draw_spectra, misplaced

    fitted = read_atom_model(model)
    asked = truth_of(column, charges, site_energies, needed=False)
    if asked is None:
        frames, values = plain_frames(trajectory, frame_spacing_fs), None
    else:
        frames, values = labelled_frames(trajectory, asked, frame_spacing_fs)
    along = spectra_along(fitted, frames, width=width, n_blocks=blocks, environments=environments, truth=values)
    out.mkdir(parents=True, exist_ok=True)
    written = [along.found.write_csv(out / "spectrum.csv")]
    for name in ("spectrum.png", "spectrum.svg"):
        written.append(draw_spectra(along.found, out / name, fitted.what, fitted.unit, along.truth))
    n_frames, n_atoms = along.values.shape
    typer.echo(f"{n_frames} frames of {n_atoms} atoms; {100 * along.outside.mean():.1f} % outside the domain")
    for at, name in enumerate(along.found.names):
        if (along.labels == at).any():
            own = along.values[along.labels == at]
            typer.echo(f"{name:22} {len(own) / n_frames:8.2f} atoms, mean {own.mean():9.3f}, spread {own.std():.3f}")
    typer.echo("intervals hold the scatter between blocks of time and the errors of the model on unseen blocks")
    symbols = np.array(frames[0].get_chemical_symbols())
    for element in fitted.surroundings.elements:
        share = float(along.far[:, symbols == element].mean()) if (symbols == element).any() else 0.0
        if share > _FAR:
            typer.echo(
                f"warning: {100 * share:.0f} % of {element} are farther from the training than 90 % of the unseen "
                f"atoms were (10 % expected): intervals are too narrow; put frames of this run into the training"
            )
    if along.truth is not None:
        written.append(along.truth.write_csv(out / "truth.csv"))
        typer.echo("label                  atoms  misplaced  95 % interval  as predicted  floor  held")
        for row in misplaced(along.found, along.truth):
            typer.echo(
                f"{row.name:22} {row.n_atoms:5.1f}  {100 * row.share:7.1f} %  {100 * row.low:4.1f} … "
                f"{100 * row.high:4.1f} %   {100 * row.predicted:9.1f} %  {100 * row.floor:3.1f} %  "
                f"{100 * row.held:3.0f} %"
            )
    typer.echo("\n".join(f"written: {path}" for path in written))
