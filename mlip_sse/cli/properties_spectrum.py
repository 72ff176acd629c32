"""``mlip-sse properties spectrum``: a property of all atoms along a trajectory, as a spectrum."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    trajectory: Annotated[str, typer.Argument(help="A trajectory: FILE or FILE@start:stop:step.")],
    model: Annotated[Path, typer.Option("--model", help="Folder that 'properties fit-atoms' wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for spectrum.csv and spectrum.png.")],
    width: Annotated[float, typer.Option("--width", help="Of the Gaussian, in the unit of the property.")] = 0.1,
    environments: Annotated[
        bool, typer.Option("--environments", help="By the classes of 'analyze interphase', not by element.")
    ] = False,
    blocks: Annotated[int, typer.Option("--blocks", help="Of time, for the intervals.")] = 10,
    frame_spacing_fs: Annotated[
        float | None, typer.Option("--frame-spacing-fs", help="Where files do not say.")
    ] = None,
) -> None:
    """Predict a property of each atom in each frame; spectrum by element or surroundings, intervals over time."""
    import numpy as np

    from mlip_sse.analysis.interphase.environments import Environments
    from mlip_sse.properties.atoms.atom_model import read_atom_model
    from mlip_sse.properties.atoms.frame_files import frames_of, split_name
    from mlip_sse.properties.atoms.spectrum import spectrum_of
    from mlip_sse.trajectory.reading import read_trajectory

    fitted = read_atom_model(model)
    path, which = split_name(trajectory)
    run = read_trajectory(path, frame_spacing_fs=frame_spacing_fs)
    rules = Environments(run.species) if environments else None
    names = fitted.surroundings.elements if rules is None else rules.names
    values, labels, n_outside = [], [], 0
    for atoms in frames_of(run, which):
        said = fitted.predict(atoms)
        values.append(said.value)
        n_outside += int(said.outside.sum())
        classes = (
            np.array([names.index(symbol) for symbol in atoms.get_chemical_symbols()])
            if rules is None
            else rules.classify(atoms.positions, atoms.cell.array).classes
        )
        labels.append(classes)
    table = np.array(values).reshape(-1, len(run.species))
    kinds = np.array(labels, dtype=np.intp).reshape(table.shape)
    found = spectrum_of(table, kinds, names, width=width, n_blocks=blocks)
    out.mkdir(parents=True, exist_ok=True)
    unit = f" ({fitted.unit})" if fitted.unit else ""
    written = [found.write_csv(out / "spectrum.csv"), found.plot(out / "spectrum.png", fitted.what + unit)]
    typer.echo(
        f"{len(table)} frames of {table.shape[1]} atoms; {100 * n_outside / table.size:.1f} % outside the domain"
    )
    for at, name in enumerate(names):
        if (kinds == at).any():
            own = table[kinds == at]
            typer.echo(f"{name:22} {len(own) / len(table):8.2f} atoms, mean {own.mean():9.3f}, spread {own.std():.3f}")
    typer.echo("\n".join(f"written: {path}" for path in written))
