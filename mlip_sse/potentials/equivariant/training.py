"""Training of one network: nequip's data module and Lightning in this process, taken up again after a kill.

```
<seed>-<digest>/           one folder for what is trained; another recipe or other frames train in another one
  train.extxyz …           the frames
  last.ckpt                everything needed to go on, after each epoch
  best.npz                 averaged weights of the epoch with the lowest validation error
  learning_curve.csv
  log.txt                  what nequip, Lightning and torch had to say
  network.json             written last: this network is trained
```
"""

import hashlib
import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import FormatError, InputError, RunError
from mlip_sse.potentials.equivariant.compiled import require_compiler
from mlip_sse.potentials.equivariant.network import (
    FORMAT,
    Architecture,
    NetworkFile,
    builder_arguments,
    read_network_file,
    read_weights,
    require_versions,
)
from mlip_sse.potentials.equivariant.runtime import PACKAGES, audible, choose_device, package_versions, prepare, quiet
from mlip_sse.potentials.equivariant.specs import EquivariantSpec, TrainingSpec
from mlip_sse.potentials.equivariant.training_frames import (
    data_digest,
    data_module_settings,
    element_energies,
    force_sizes,
    write_frames,
)
from mlip_sse.potentials.equivariant.watch import BEST_FILE, CHECKPOINT_FILE, WATCH, make_watch, write_whole

__all__ = ["NETWORK_FILE", "Trained", "train"]

NETWORK_FILE = "network.json"
_FILES = ("train.extxyz", "validation.extxyz")
_DATA_STATE = "NequIPDataModule"
_SMALLEST_SCALE = 1e-3  # eV: where the training forces vanish


@dataclass(frozen=True)
class Trained:
    """One trained network.

    Parameters
    ----------
    network
        What lies beside its weights.
    weights
        The averaged weights of its best epoch.
    folder
        Where it was trained; the learning curve lies there.
    """

    network: NetworkFile
    weights: dict[str, Any]
    folder: Path


def train(
    architecture: Architecture,
    recipe: EquivariantSpec,
    elements: Sequence[str],
    frames: tuple[Sequence[LabelledFrame], Sequence[LabelledFrame]],
    seed: int,
    folder: Path,
    report: Callable[[float, str], None] | None = None,
) -> Trained:
    """Train one network, or go on where a killed process stopped, or return what is trained already.

    Parameters
    ----------
    architecture, recipe
        The network and how it is trained.
    elements
        In the order of its types.
    frames
        Training and validation frames.
    seed
        Of its first weights and of the order of the frames.
    folder
        Where its own folder goes.
    report
        Called with the share done and a line to show.

    Raises
    ------
    InputError
        When there is no validation frame.
    FormatError
        When a checkpoint cannot be read here: another version, or a pickle of anything but numbers.
    RunError
        When the loss is no number from the first epoch on, or the step is to be compiled and there is no compiler.
    """
    if not frames[1]:
        raise InputError("found no validation frame, expected at least one to choose the epoch by: split.validation")
    digest = _digest(recipe, elements, frames)
    folder = folder / f"{seed}-{digest[:12]}"
    if (folder / NETWORK_FILE).is_file():
        return Trained(read_network_file(folder / NETWORK_FILE), read_weights(folder / BEST_FILE), folder)
    if recipe.training.compile:
        require_compiler("the training step; without one, set training.compile to false")
    folder.mkdir(parents=True, exist_ok=True)
    prepare(recipe.training.threads)
    checkpoint = _checkpoint_to_resume(folder, digest)
    report = None if report is None else audible(report)
    with quiet(folder / "log.txt"):
        network = _run(architecture, recipe, tuple(elements), frames, seed, folder, digest, checkpoint, report)
    if not (folder / BEST_FILE).is_file():
        raise RunError(f"{folder}: found no epoch with a finite error, expected a lower training.learning_rate")
    write_whole(folder / NETWORK_FILE, network.model_dump_json(indent=1).encode())
    return Trained(network, read_weights(folder / BEST_FILE), folder)


def _digest(
    recipe: EquivariantSpec, elements: Sequence[str], frames: tuple[Sequence[LabelledFrame], Sequence[LabelledFrame]]
) -> str:
    """Return what decides the trained network; words of the recipe and the size of the committee do not."""
    aside = {"description", "domain", "split", "data", "committee", "seed"}
    plain = recipe.model_dump(mode="json", exclude=aside)
    for key in ("threads", "device", "compile"):
        plain["training"].pop(key)
    text = json.dumps([FORMAT, plain, list(elements), data_digest(*frames)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _checkpoint_to_resume(folder: Path, digest: str) -> dict[str, Any] | None:
    """Return the checkpoint of a killed training, None where there is none; what it may hold is never run.

    Raises
    ------
    FormatError
        When it holds anything but numbers and plain data, or versions differ.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    import torch

    again = f"delete {folder} to train anew"
    try:
        with quiet(None):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        origin = content["callbacks"][WATCH]["origin"]
        versions, trained, _ = origin["versions"], origin["digest"], content[_DATA_STATE]
    except Exception as error:  # torch raises many kinds on a damaged or hostile file
        reason = " ".join(str(error).split())[:100]
        raise FormatError(
            f"{path}: found no checkpoint of plain numbers ({type(error).__name__}: {reason}), expected one that "
            f"mlip-sse wrote; nothing in it was run: {again}"
        ) from error
    require_versions(versions, str(path), PACKAGES)
    if trained != digest or origin["format"] != FORMAT:
        raise FormatError(f"{path}: found the checkpoint of another training, expected that of its folder: {again}")
    return content


def _run(
    architecture: Architecture,
    recipe: EquivariantSpec,
    elements: tuple[str, ...],
    frames: tuple[Sequence[LabelledFrame], Sequence[LabelledFrame]],
    seed: int,
    folder: Path,
    digest: str,
    checkpoint: dict[str, Any] | None,
    report: Callable[[float, str], None] | None,
) -> NetworkFile:
    import lightning
    from nequip.data.datamodule import NequIPDataModule
    from nequip.train import EMALightningModule

    settings = recipe.training
    with_stress = settings.weights.stress > 0 and any(frame.stress is not None for frame in frames[0])
    files = (folder / _FILES[0], folder / _FILES[1])
    for path, part in zip(files, frames, strict=True):
        write_frames(path, part, with_stress)
    data = NequIPDataModule(**data_module_settings(files, elements, recipe.cutoff, settings.batch_size, seed))
    network = _measure(data, frames[0], elements, recipe)
    arguments = builder_arguments(architecture, recipe, network, seed)
    model = {"_target_": architecture.builder.replace(":", "."), **arguments}
    model["compile_mode"] = "compile" if settings.compile else "eager"
    steps = settings.epochs * -(-len(frames[0]) // settings.batch_size)
    metrics = _metrics(with_stress)
    module = EMALightningModule(
        ema_decay=settings.average,
        model=model,
        num_datasets=data.num_datasets,
        loss=_loss(settings, with_stress),
        train_metrics=metrics,
        val_metrics=metrics,
        optimizer={"_target_": "torch.optim.Adam", "lr": settings.learning_rate},
        lr_scheduler=_schedule(settings, steps),
    )
    origin = {"format": FORMAT, "digest": digest, "versions": package_versions()}
    epochs = settings.epochs
    tell = None if report is None else (lambda done, line: report(done / epochs, f"epoch {done} of {epochs}: {line}"))
    trainer = lightning.Trainer(
        max_epochs=settings.epochs,
        accelerator="gpu" if choose_device(settings.device) == "cuda" else "cpu",
        devices=1,
        callbacks=[make_watch(folder, origin, settings.patience, tell)],
        gradient_clip_val=settings.gradient_clip,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        inference_mode=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    if checkpoint is not None:
        # Lightning restores the data module after its generators were made, too late for the order of the frames.
        data.load_state_dict(checkpoint[_DATA_STATE])
    resume = None if checkpoint is None else folder / CHECKPOINT_FILE
    before = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt):  # a SIGTERM
            raise
        # Lightning makes an exit of Ctrl-C, and the process deaf to the next one.
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from stop
    return network


def _measure(
    data: Any, frames: Sequence[LabelledFrame], elements: tuple[str, ...], recipe: EquivariantSpec
) -> NetworkFile:
    """Measure on the training frames what the network is scaled by, after the core has had its share."""
    data.setup("fit")
    loaded = [data.train_dataset[0][number] for number in range(len(frames))]
    data.teardown("fit")
    n_neighbours = sum(each["edge_index"].shape[1] for each in loaded) / sum(frame.n_atoms for frame in frames)
    energies, forces = np.array([frame.energy for frame in frames]), [frame.forces for frame in frames]
    if recipe.core.style == "zbl":
        model = _core(elements, recipe)
        found = [model(each.copy()) for each in loaded]
        energies = energies - np.array([float(each["total_energy"].sum()) for each in found])
        shares = [each["forces"].detach().numpy() for each in found]
        forces = [label - share for label, share in zip(forces, shares, strict=True)]
    sizes = force_sizes(forces, frames, elements)
    return NetworkFile(
        elements=elements,
        mean_neighbours=max(float(n_neighbours), 1.0),
        energy_shifts=tuple(float(value) for value in element_energies(energies, frames, elements)),
        energy_scales=tuple(max(float(value), _SMALLEST_SCALE) for value in sizes),
        versions=package_versions(),
    )


def _core(elements: tuple[str, ...], recipe: EquivariantSpec) -> Any:
    """Return the short-range core alone."""
    from mlip_sse.potentials.equivariant.core import CoreOnly

    core = recipe.core
    return CoreOnly(
        seed=0,
        model_dtype="float64",
        compile_mode="eager",
        type_names=list(elements),
        r_max=recipe.cutoff,
        inner=core.inner,
        outer=core.outer,
    )


def _loss(settings: TrainingSpec, with_stress: bool) -> dict[str, Any]:
    """Return L = w_f ⟨|ΔF|⟩ + w_e ⟨|ΔE/n|⟩ + w_s ⟨|Δσ|⟩, divided by the sum of the weights."""
    weights = settings.weights
    terms = [
        _term("forces", "forces", weights.force, {"_target_": "mlip_sse.potentials.equivariant.loss.MeanVectorLength"}),
        _term("energy", _PER_ATOM_ENERGY, weights.energy, _MAE),
    ]
    if with_stress:
        terms.append({**_term("stress", "stress", weights.stress, _MAE), "ignore_nan": True})
    return {"_target_": "nequip.train.MetricsManager", "metrics": [term for term in terms if term["coeff"] > 0]}


def _metrics(with_stress: bool) -> dict[str, Any]:
    """Return what is measured after each epoch; ``weighted_sum`` needs a coefficient, which stands on the forces."""
    terms = [
        _term("forces_mae", "forces", 1.0, _MAE),
        _term("per_atom_energy_mae", _PER_ATOM_ENERGY, None, _MAE),
    ]
    if with_stress:
        terms.append({**_term("stress_mae", "stress", None, _MAE), "ignore_nan": True})
    return {"_target_": "nequip.train.MetricsManager", "metrics": terms}


_MAE = {"_target_": "nequip.train.MeanAbsoluteError"}
_PER_ATOM_ENERGY = {"_target_": "nequip.data.PerAtomModifier", "field": "total_energy"}


def _term(name: str, field: Any, coefficient: float | None, metric: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "field": field, "coeff": coefficient, "metric": metric}


def _schedule(settings: TrainingSpec, steps: int) -> dict[str, Any]:
    return {
        "scheduler": {
            "_target_": "torch.optim.lr_scheduler.OneCycleLR",
            "max_lr": settings.learning_rate,
            "total_steps": max(2, steps),
            "pct_start": settings.warmup,
            "cycle_momentum": False,
            "div_factor": 25.0,
            "final_div_factor": 1e4,
        },
        "interval": "step",
        "frequency": 1,
    }
