"""Native code of a network, made on this machine by AOTInductor and kept in the user's cache.

A compiled file is a program: it belongs to one processor, one version of torch and one network, and whoever loads it
runs it. So none is stored with a potential; it is made here from the weights, once, and found again by its content.
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from mlip_sse.errors import RunError
from mlip_sse.potentials.equivariant.runtime import package_versions, prepare, quiet
from mlip_sse.potentials.lammps_plugin.cached_plugin import cache_folder

__all__ = ["COMPILED_FILE", "compile_network", "compiled_path", "require_compiler", "transforms"]

COMPILED_FILE = "potential.nequip.pt2"
"""The name in decks; LAMMPS asks for this ending, of Allegro's files too."""

_SPACING_A = 2.6
_EDGE = 3


def compiled_path(digests: Mapping[str, str], target: str, device: str) -> Path:
    """Return where the compiled file of a network lies, or would lie.

    Parameters
    ----------
    digests
        The sha256 of everything that decides the network.
    target
        ``ase``, ``pair_nequip`` or ``pair_allegro``.
    device
        ``cpu`` or ``cuda``.
    """
    import torch

    processor = torch.cuda.get_device_name() if device == "cuda" else torch.backends.cpu.get_cpu_capability()
    parts = [dict(digests), target, device, processor, platform.machine(), package_versions()]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / "compiled" / f"{target}-{key}" / COMPILED_FILE


def compile_network(model: Any, elements: Sequence[str], cutoff: float, target: str, device: str, path: Path) -> Path:
    """Compile a network; returns at once where that was done before.

    Parameters
    ----------
    model
        As `network.build` returned it; it is moved to ``device``.
    elements, cutoff
        Of the network.
    target, device
        As for `compiled_path`.
    path
        Where the file goes, whole or not at all; ``log.txt`` beside it.

    Raises
    ------
    RunError
        When there is no C++ compiler, or compiling failed.
    """
    if path.is_file():
        return path
    require_compiler(f"a network for {target}")
    path.parent.mkdir(parents=True, exist_ok=True)
    prepare()
    with quiet(path.parent / "log.txt"):
        partial = Path(mkdtemp(prefix=".part-", dir=path.parent))
        try:
            _export(model, elements, cutoff, target, device, partial / COMPILED_FILE)
            os.replace(partial / COMPILED_FILE, path)
        except Exception as error:  # torch raises many kinds
            reason = " ".join(str(error).split())[:160]
            raise RunError(f"compiling for {target} failed: {reason}; {path.parent / 'log.txt'} says more") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return path


def require_compiler(what: str) -> None:
    """Refuse where torch would find no C++ compiler.

    Raises
    ------
    RunError
        Naming what it is for, and what to do.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise RunError(
            f"found no C++ compiler ({compiler}), expected one to compile {what}: install g++, or name another one in "
            f"CXX"
        )


def _export(model: Any, elements: Sequence[str], cutoff: float, target: str, device: str, path: Path) -> None:
    import torch
    from nequip.data import AtomicDataDict
    from nequip.scripts._compile_utils import COMPILE_TARGET_DICT
    from nequip.utils.aot import aot_export_model
    from nequip.utils.aoti_metadata import NEQUIP_AOTI_INPUTS_KEY, NEQUIP_AOTI_OUTPUTS_KEY, serialize_aoti_keys
    from nequip.utils.global_state import get_latest_global_state

    if target == "pair_allegro":
        import allegro  # noqa: F401  registers its export
    wanted = COMPILE_TARGET_DICT[target]
    metadata = dict(model.metadata) | get_latest_global_state(only_metadata_related=True)
    metadata = {key: str(int(value)) if isinstance(value, bool) else str(value) for key, value in metadata.items()}
    metadata[NEQUIP_AOTI_INPUTS_KEY] = serialize_aoti_keys(wanted["input"])
    metadata[NEQUIP_AOTI_OUTPUTS_KEY] = serialize_aoti_keys(wanted["output"])
    sizes = {
        name: torch.export.dynamic_shapes.Dim(f"num_{name}s", min=2, max=torch.inf)
        for name in ("graph", "node", "edge")
    }
    aot_export_model(
        model=model,
        device=device,
        input_fields=wanted["input"],
        output_fields=wanted["output"],
        data=wanted["data_settings"](AtomicDataDict.to_(_example(elements, cutoff), torch.device(device))),
        batch_map=wanted["batch_map_settings"](sizes),
        output_path=str(path),
        inductor_configs={"aot_inductor.metadata": metadata},
        seed=1,
    )


def _example(elements: Sequence[str], cutoff: float) -> Any:
    """Return a rattled cubic crystal of all elements, to trace the network with."""
    from ase import Atoms
    from nequip.data import from_ase

    rng = np.random.default_rng(0)
    points = np.stack(np.meshgrid(*[np.arange(_EDGE)] * 3), axis=-1).reshape(-1, 3) * _SPACING_A
    symbols = [elements[index % len(elements)] for index in range(len(points))]
    atoms = Atoms(symbols, positions=points + rng.normal(0, 0.1, points.shape), cell=[_EDGE * _SPACING_A] * 3, pbc=True)
    data = from_ase(atoms)
    for transform in transforms(elements, cutoff):
        data = transform(data)
    return data


def transforms(elements: Sequence[str], cutoff: float) -> list[Any]:
    """Return what turns ASE atoms into the input of a network: types, and neighbours within the cutoff."""
    from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform

    return [ChemicalSpeciesToAtomTypeMapper(model_type_names=list(elements)), NeighborListTransform(r_max=cutoff)]
