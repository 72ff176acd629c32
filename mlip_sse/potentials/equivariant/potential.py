"""A fitted equivariant potential: trained in process, kept as plain numbers, run by ASE and by LAMMPS."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mlip_sse.errors import InputError
from mlip_sse.potentials.contract import Card, FittedPotential, LammpsInput, Potential
from mlip_sse.potentials.equivariant.network import (
    Architecture,
    NetworkFile,
    build,
    read_network_file,
    read_weights,
    weights_bytes,
)
from mlip_sse.potentials.equivariant.runtime import choose_device, package_versions, prepare, quiet
from mlip_sse.potentials.equivariant.specs import EquivariantSpec
from mlip_sse.potentials.equivariant.training import NETWORK_FILE, train
from mlip_sse.potentials.equivariant.training_frames import choose_elements, data_digest
from mlip_sse.potentials.model_folder import read_model_folder, write_model_folder

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlip_sse.dataset import LabelledFrame
    from mlip_sse.specs import Spec

__all__ = ["EquivariantPotential"]

Weights = Mapping[str, Any]


class EquivariantPotential(FittedPotential):
    """What NequIP and Allegro potentials have in common.

    Parameters
    ----------
    recipe
        Of the family.
    network
        What the recipe leaves open.
    members
        The weights of each network of the committee.
    card
        What a user must know.
    """

    architecture: ClassVar[Architecture]

    def __init__(self, recipe: EquivariantSpec, network: NetworkFile, members: Sequence[Weights], card: Card) -> None:
        package_versions()
        self.recipe, self.network, self.members = recipe, network, tuple(members)
        self._card = card
        self._proxy: Potential | None = None

    @classmethod
    @abstractmethod
    def _checked(cls, recipe: "Spec") -> EquivariantSpec:
        """Return the recipe if it is one of this family."""

    @classmethod
    def from_recipe(cls, recipe: "Spec", path: Path) -> Self:
        """Load the potential that lies beside its recipe; nothing in its files can run.

        Raises
        ------
        FormatError
            When a file is missing, was changed, or was written by other releases of nequip.
        MissingExtraError
            When nequip is not installed.
        """
        checked = cls._checked(recipe)
        package_versions()
        names = (NETWORK_FILE, *_weight_names(checked))
        card, paths = read_model_folder(path, names)
        network = read_network_file(paths[NETWORK_FILE])
        return cls(checked, network, [read_weights(paths[name]) for name in names[1:]], card)

    @classmethod
    def fit(
        cls,
        recipe: "Spec",
        train_frames: "Sequence[LabelledFrame]",
        validation: "Sequence[LabelledFrame]",
        folder: Path,
        *,
        progress: "Callable[[float, str], None] | None" = None,
    ) -> Self:
        """Train one network for each seed; a killed fit goes on where it was, epochs and networks alike."""
        checked = cls._checked(recipe)
        package_versions()
        elements = choose_elements(checked.elements, train_frames)
        choose_elements(elements, [*train_frames, *validation])
        _require_one_fingerprint([*train_frames, *validation])
        trained = []
        for number, seed in enumerate(checked.seeds):
            report = None if progress is None else _scaled(progress, number, checked)
            frames = (train_frames, validation)
            trained.append(train(cls.architecture, checked, elements, frames, seed, Path(folder), report))
        domain = checked.domain
        card = Card(
            name=Path(folder).resolve().parent.name,
            family=cls.family,
            description=checked.description,
            elements=elements,
            temperature_k=domain.temperature_k,
            pressure_gpa=domain.pressure_gpa,
            references=domain.references,
            licence=domain.licence,
            fingerprint=train_frames[0].fingerprint.model_dump(mode="json", exclude_none=True),
            data={
                "n_train": len(train_frames),
                "n_validation": len(validation),
                "digest": data_digest(train_frames, validation),
            },
        )
        return cls(checked, trained[0].network, [each.weights for each in trained], card)

    @property
    def card(self) -> Card:
        """What a user must know."""
        return self._card

    def with_card(self, **changes: Any) -> Self:
        """Return the same potential with fields of its card changed."""
        other = type(self)(self.recipe, self.network, self.members, replace(self._card, **changes))
        other._proxy = self._proxy
        return other

    def with_uncertainty_of(self, proxy: Potential) -> Self:
        """Return the same potential whose spreads come from another one, such as a POD committee on the same data."""
        if missing := sorted(set(self.card.elements) - set(proxy.card.elements)):
            known = ", ".join(proxy.card.elements)
            raise InputError(f"found a proxy that knows {known}, expected one that knows {', '.join(missing)} too")
        other = self.with_card()
        other._proxy = proxy
        return other

    def calculator(self, *, compiled: bool | None = None) -> "Calculator":
        """Return an ASE calculator.

        Parameters
        ----------
        compiled
            True: with the network compiled on this machine, which takes a minute or two the first time; False: with
            torch as it is; None: compiled where that was done before.
        """
        from mlip_sse.potentials.equivariant.calculator import NetworkCalculator

        prepare()
        device = self._device("ase")
        path = self._compiled_path("ase", device)
        native = None
        if compiled or (compiled is None and path.is_file()):
            from nequip.model.inference_models import load_aotinductor_model

            self.compile("ase")
            with quiet(None):
                native, _ = load_aotinductor_model(str(path), device)
        makers = [(lambda number=number: self._build(number)) for number in range(len(self.members))]
        proxy = None if self._proxy is None else self._proxy.calculator()
        with quiet(None):
            return NetworkCalculator(self.network.elements, self.recipe.cutoff, makers, native, proxy, device)

    def compile(self, target: str = "ase") -> Path:
        """Compile the network on this machine and return the file; at once where that was done before.

        Parameters
        ----------
        target
            ``ase`` or ``lammps``.

        Raises
        ------
        InputError
            When there is no such target.
        RunError
            When there is no compiler, or it fails.
        """
        from mlip_sse.potentials.equivariant.compiled import compile_network

        targets = {"ase": "ase", "lammps": self.architecture.lammps_target}
        if target not in targets:
            raise InputError(f"found target {target!r}, expected one of {', '.join(targets)}")
        prepare()
        device = self._device(target)
        path = self._compiled_path(targets[target], device)
        if path.is_file():
            return path
        model, cutoff = self._build(0), self.recipe.cutoff
        return compile_network(model, self.network.elements, cutoff, targets[target], device, path)

    def lammps(self, elements: Sequence[str] | None = None) -> LammpsInput:
        """Return the deck lines, in upstream's syntax, for atom types in the order of ``elements``.

        The network is compiled for LAMMPS on this machine if it was not before. A deck needs ``newton on`` for Allegro;
        NequIP runs on one rank.

        Raises
        ------
        InputError
            When an element is not one of the network's.
        RunError
            When there is no compiler, or it fails.
        """
        from ase.data import atomic_masses, atomic_numbers

        order = self.network.elements if elements is None else tuple(elements)
        if stray := [element for element in order if element not in self.network.elements]:
            known = ", ".join(self.network.elements)
            raise InputError(f"potential {self.card.name!r} knows {known}, not {', '.join(stray)}: choose another one")
        path = self.compile("lammps")
        return LammpsInput(
            elements=order,
            masses_amu=tuple(float(atomic_masses[atomic_numbers[element]]) for element in order),
            charges_e=None,
            commands=(
                f"pair_style {self.architecture.pair_style}",
                f"pair_coeff * * {path.name} {' '.join(order)}",
            ),
            files=(path,),
        )

    def save(self, folder: str | Path) -> Path:
        """Write recipe, weights and card into ``folder``, whole or not at all."""
        self._card = write_model_folder(folder, self.recipe, self._card, self._files())
        return Path(folder)

    def _files(self) -> dict[str, bytes]:
        names = _weight_names(self.recipe)
        files = {name: weights_bytes(weights) for name, weights in zip(names, self.members, strict=True)}
        return {NETWORK_FILE: (self.network.model_dump_json(indent=1) + "\n").encode(), **files}

    def _build(self, number: int) -> Any:
        prepare()
        source = _weight_names(self.recipe)[number]
        return build(self.architecture, self.recipe, self.network, self.members[number], source)

    def _device(self, target: str) -> str:
        """Return where the network runs: a potential trained on CUDA works without it; our pair styles run on CPUs."""
        return choose_device("cpu" if target == "lammps" or self.recipe.training.device == "cpu" else "auto")

    def _compiled_path(self, target: str, device: str) -> Path:
        from mlip_sse.potentials.equivariant.compiled import compiled_path

        files = self._files()
        digests = {
            name: hashlib.sha256(files[name]).hexdigest() for name in (NETWORK_FILE, _weight_names(self.recipe)[0])
        }
        builder = self.architecture.arguments(self.recipe)
        digests["recipe"] = repr([builder, self.recipe.cutoff, self.recipe.core.model_dump(), self.recipe.precision])
        return compiled_path(digests, target, device)


def _require_one_fingerprint(frames: "Sequence[LabelledFrame]") -> None:
    """Refuse labels made in two ways."""
    first = frames[0].fingerprint
    for other in {frame.fingerprint.digest: frame.fingerprint for frame in frames}.values():
        if difference := first.difference(other):
            raise InputError(f"found labels made in two ways ({difference}), expected one fingerprint: label alike")


def _weight_names(recipe: EquivariantSpec) -> tuple[str, ...]:
    return tuple(f"weights-{number}.npz" for number in range(recipe.committee))


def _scaled(
    progress: "Callable[[float, str], None]", number: int, recipe: EquivariantSpec
) -> "Callable[[float, str], None]":
    def report(share: float, line: str) -> None:
        head = f"network {number + 1} of {recipe.committee}, " if recipe.committee > 1 else ""
        progress((number + share) / recipe.committee, head + line)

    return report
