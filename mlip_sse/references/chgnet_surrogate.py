"""CHGNet as the embedded reference: a surrogate, one torch thread, its model's name in every label."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.dataset import Fingerprint
from mlip_sse.references.backend import Computed, Labeller, label_with_calculator, version_of
from mlip_sse.references.specs import ChgnetSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["calculator", "fingerprint", "require_ready", "start"]

_FUNCTIONALS = {"0.2.0": "PBE/PBE+U (MP2020)", "0.3.0": "PBE/PBE+U (MP2020)", "r2scan": "r2SCAN"}


def require_ready(spec: ChgnetSpec) -> None:
    """Refuse where CHGNet is not installed."""
    version_of("chgnet", "chgnet", "the reference chgnet")


def fingerprint(spec: ChgnetSpec) -> Fingerprint:
    """Name the surrogate, its model and what it was trained on."""
    return Fingerprint(
        method="surrogate",
        code="chgnet",
        code_version=version_of("chgnet", "chgnet", "the reference chgnet"),
        functional=_FUNCTIONALS[spec.model],
        model=spec.model,
    )


def calculator(spec: ChgnetSpec) -> Any:
    """Load the model as an ASE calculator on one torch thread; what CHGNet prints goes to standard error.

    Energy and forces take half the time of energy, forces and stress: a stress that nobody asks for is left out.
    """
    import torch

    torch.set_num_threads(1)
    from chgnet.model.dynamics import CHGNetCalculator
    from chgnet.model.model import CHGNet

    class OnDemand(CHGNetCalculator):  # type: ignore[misc]
        """Leaves out the stress, half of the time of a call, unless it is asked for or was at the last structure."""

        _asked_for_stress = False

        def get_property(self, name: str, atoms: Any = None, allow_calculation: bool = True) -> Any:
            self._asked_for_stress |= name == "stress"
            return super().get_property(name, atoms, allow_calculation)

        def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
            wanted = set(properties or ("stress",))
            task = "efsm" if "magmoms" in wanted else "efs" if self._asked_for_stress or "stress" in wanted else "ef"
            self._asked_for_stress = "stress" in wanted
            with _single_precision():
                super().calculate(atoms, properties, system_changes, task=task)

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with redirect_stdout(sys.stderr), _single_precision():
        model = CHGNet.load(model_name=spec.model, use_device=device, verbose=False)
        return OnDemand(model=model, use_device=device, on_isolated_atoms="error")


@contextmanager
def _single_precision() -> Iterator[None]:
    """Compute as CHGNet was trained: its own tensors take torch's default, which NequIP sets to double for good."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def start(spec: ChgnetSpec) -> Labeller:
    """Load the model once; it labels in about 0.15 s per 50 atoms."""
    loaded = calculator(spec)
    stated = fingerprint(spec)

    def label(atoms: "Atoms", folder: Path) -> Computed:
        return label_with_calculator(atoms, loaded, stated)

    return label
