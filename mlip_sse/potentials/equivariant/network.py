"""A network as plain numbers: what its recipe leaves open, its weights, and how both are written and read.

Nothing here is pickled. The numbers lie in an ``.npz`` that is read without pickles, what was measured on the training
frames in a JSON that is checked like a spec, and the architecture is built from the recipe alone: no file names a
Python object.
"""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mlip_sse.errors import FormatError, SpecError
from mlip_sse.potentials.equivariant.runtime import package_versions, quiet, release
from mlip_sse.potentials.equivariant.specs import EquivariantSpec
from mlip_sse.potentials.specs import Element
from mlip_sse.specs import Spec

__all__ = ["FORMAT", "Architecture", "NetworkFile", "build", "read_network_file", "read_weights", "weights_bytes"]

FORMAT = 1
_DECIDING = ("nequip", "nequip-allegro")

Weights = Mapping[str, NDArray[Any]]


class NetworkFile(Spec):
    """What a network holds beside its recipe and its weights."""

    format: int = Field(FORMAT, description="of this file and of the weights")
    elements: tuple[Element, ...] = Field(min_length=1, description="in the order of the network's types")
    mean_neighbours: float = Field(gt=0, description="neighbours of an atom, mean over the training frames")
    energy_shifts: tuple[float, ...] = Field(description="in eV: energy of each element's atom without neighbours")
    energy_scales: tuple[float, ...] = Field(description="in eV: what each element's output is multiplied with")
    versions: dict[str, str] = Field(description="of the packages that made the weights")


@dataclass(frozen=True)
class Architecture:
    """How a family builds its network.

    Parameters
    ----------
    builder
        ``module:function`` of nequip's builder.
    arguments
        From the recipe to the builder's own arguments.
    lammps_target
        The name of the export for LAMMPS.
    pair_style
        The name in a deck.
    """

    builder: str
    arguments: Callable[[Any], dict[str, Any]]
    lammps_target: str
    pair_style: str


def builder_arguments(
    architecture: Architecture, recipe: EquivariantSpec, network: NetworkFile, seed: int
) -> dict[str, Any]:
    """Return all arguments of the builder as plain data."""
    elements = list(network.elements)
    arguments = {
        "seed": seed,
        "model_dtype": recipe.precision,
        "type_names": elements,
        "r_max": recipe.cutoff,
        "avg_num_neighbors": network.mean_neighbours,
        "per_type_energy_shifts": dict(zip(elements, network.energy_shifts, strict=True)),
        "per_type_energy_scales": dict(zip(elements, network.energy_scales, strict=True)),
        **architecture.arguments(recipe),
    }
    if recipe.core.style == "zbl":
        arguments["pair_potential"] = {
            "_target_": "mlip_sse.potentials.equivariant.core.ShortRangeCore",
            "chemical_species": elements,
            "inner": recipe.core.inner,
            "outer": recipe.core.outer,
        }
    return arguments


def build(
    architecture: Architecture, recipe: EquivariantSpec, network: NetworkFile, weights: Weights, source: str
) -> Any:
    """Build a network for inference and give it its weights.

    Parameters
    ----------
    architecture, recipe, network
        What it looks like.
    weights
        As `read_weights` returned them.
    source
        Where the weights came from, for the message.

    Raises
    ------
    FormatError
        When the weights are those of another network.
    """
    import torch

    module, name = architecture.builder.split(":")
    with quiet(None):
        builder = getattr(__import__(module, fromlist=[name]), name)
        model = builder(**builder_arguments(architecture, recipe, network, recipe.seed), compile_mode="eager")
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: value.shape for key, value in weights.items()}
    if wanted != found:
        stray = sorted({key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)})
        raise FormatError(
            f"{source}: found weights of another network ({len(stray)} arrays differ, the first is {stray[0][:80]!r}), "
            f"expected those of this recipe: restore the recipe or fit again"
        )
    model.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in weights.items()})
    return model.eval()


def weights_bytes(weights: Weights) -> bytes:
    """Return the content of an ``.npz`` with the weights, the same bytes for the same weights."""
    stream = io.BytesIO()
    np.savez(stream, **{key: np.asarray(weights[key]) for key in sorted(weights)})  # type: ignore[arg-type]
    return stream.getvalue()


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """Read weights; an array that is a pickle is refused, not loaded.

    Raises
    ------
    FormatError
        When the file is no archive of number arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            weights = {key: archive[key] for key in archive.files}
        if not all(isinstance(value, np.ndarray) for value in weights.values()):
            raise ValueError("a member is no array")
        return weights
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(
            f"{path}: found no archive of plain numbers ({reason}), expected weights that mlip-sse wrote; pickles are "
            f"never loaded: restore the file or fit again"
        ) from error


def read_network_file(path: Path) -> NetworkFile:
    """Read and check what lies beside the weights.

    Raises
    ------
    FormatError
        When it is of another format, or made by versions of nequip whose weights cannot be read here.
    """
    try:
        network = NetworkFile.parse(json.loads(path.read_text(encoding="utf-8")), str(path))
    except SpecError as error:
        raise FormatError(str(error)) from error
    except (ValueError, OSError) as error:
        raise FormatError(f"{path}: found no JSON, expected the {path.name} that a fit writes: fit again") from error
    if network.format != FORMAT:
        raise FormatError(f"{path}: found format {network.format}, expected {FORMAT}: fit again with this version")
    if not len(network.elements) == len(network.energy_shifts) == len(network.energy_scales):
        raise FormatError(f"{path}: found shifts or scales of other elements, expected {len(network.elements)}: refit")
    require_versions(network.versions, str(path), _DECIDING)
    return network


def require_versions(found: Mapping[str, str], source: str, packages: tuple[str, ...]) -> None:
    """Refuse what other releases of nequip wrote.

    Raises
    ------
    FormatError
        Naming package and both versions.
    """
    here = package_versions()
    for package in packages:
        if release(found.get(package, "none")) != release(here[package]):
            raise FormatError(
                f"{source}: found {package} {found.get(package, 'none')}, expected {release(here[package])} as "
                f"installed here: pip install '{package}=={found.get(package, here[package])}' or fit again"
            )
