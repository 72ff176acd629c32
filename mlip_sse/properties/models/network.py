"""Networks on any encoder, with a plain readout or with that of Arrhenius.

The Arrhenius readout has two heads, and temperature enters nowhere else:

    y(x, T) = a(x) − b(x) (1000/T − 1000/T₀),   b = softplus(…) ≥ 0

With y = log₁₀ σ this is ln σ = ln A − Ea/(k_B T), with Ea = 1000 k_B ln 10 · b and ln A = ln 10 · (a + 1000 b/T₀), so
that one model serves all temperatures, those outside the training table included. 1/T₀ is the mean of training. The
plain readout, its control, takes 1000/T as one more input. An ensemble is trained by a likelihood that knows limits,
each member on its own order of the rows and with one spread of its errors; the spread between the members joins it.
Errors are normal (``tobit``) or those of Laplace (``laplace``: absolute errors count, and a few wild rows do not rule);
``entropy`` is for classes, and the first output then is the log-odds.

References
----------
Bradford et al., ACS Cent. Sci. 9, 206 (2023), 10.1021/acscentsci.2c01123 (Arrhenius readout); Lakshminarayanan et al.,
NeurIPS 30 (2017) (ensembles).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, MissingExtraError
from mlip_sse.properties.learner import Training
from mlip_sse.properties.models.encoders import Encoding, Weights, encode, first_weights
from mlip_sse.properties.models.pairs import KNOWN
from mlip_sse.properties.storage import storable
from mlip_sse.units import BOLTZMANN_EV_PER_K

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FittedNetwork",
    "Loss",
    "Network",
]

Floats = npt.NDArray[np.float64]
Loss = Literal["tobit", "laplace", "entropy"]

SPREAD = "log_spread"
"""Name of the weights that are the spread of the errors of each member, (n_members, 1)."""

_CHUNK = 8192
_PAIRS_CHUNK = 128
"""Rows that are asked at once: pairs of elements take room, and the system hands arrays beyond 32 MB out anew."""

_FIRST_SPREAD = 0.5
_KELVIN_UNIT = 0.3
"""Usual spread of 1000/T over a table, so that temperature enters the plain network as features do."""


@storable
@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """An ensemble of networks.

    Parameters
    ----------
    encoding
        Name of the encoder.
    names, weights
        Of the weights, each (n_members, …), and of the table of the elements, where the encoder has one.
    arrhenius
        Whether the heads are a(x) and b(x).
    reference
        1000/T₀ in 1/K, where there are temperatures.
    centre, unit
        Mean and standard deviation of the target.
    """

    encoding: str
    names: tuple[str, ...]
    weights: tuple[npt.NDArray[np.float32], ...]
    arrhenius: bool
    reference: float | None
    centre: float
    unit: float

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return the mean of the members, and their own error with the spread between them."""
        value, spread = np.empty(len(features)), np.empty(len(features))
        chunk = _PAIRS_CHUNK if self.encoding == "pairs" else _CHUNK
        for start in range(0, len(features), chunk):
            part = slice(start, start + chunk)
            kelvin = None if temperature_k is None else temperature_k[part]
            members, errors = self._members(features[part], kelvin)
            value[part] = members.mean(axis=0)
            spread[part] = np.sqrt(members.var(axis=0) + float(np.mean(errors**2)))
        return self.centre + self.unit * value, self.unit * spread

    def arrhenius_terms(self, features: Floats) -> tuple[Floats, Floats]:
        """Return log₁₀ A and Ea in eV of rows, each (n_rows,), where the target was a log₁₀; means over the members.

        Raises
        ------
        InputError
            When the network has a plain readout.
        """
        if not self.arrhenius or self.reference is None:
            raise InputError("found a network with a plain readout, expected that of Arrhenius: it knows no Ea")
        outputs = self._outputs(features, None)
        slope = self.unit * np.logaddexp(0.0, outputs[:, :, 1]).mean(axis=0)
        at_reference = self.centre + self.unit * outputs[:, :, 0].mean(axis=0)
        return at_reference + slope * self.reference, slope * 1000.0 * BOLTZMANN_EV_PER_K * math.log(10.0)

    def _members(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        outputs = self._outputs(features, temperature_k)
        value = outputs[:, :, 0]
        if self.arrhenius and temperature_k is not None and self.reference is not None:
            value = value - np.logaddexp(0.0, outputs[:, :, 1]) * (1000.0 / temperature_k - self.reference)
        return value, np.exp(self.weights[self.names.index(SPREAD)].astype(np.float64))

    def _outputs(self, features: Floats, temperature_k: Floats | None) -> Floats:
        torch = _torch()
        weights = {name: torch.as_tensor(found) for name, found in zip(self.names, self.weights, strict=True)}
        kelvin = None
        if temperature_k is not None and self.reference is not None and not self.arrhenius:
            reduced = (1000.0 / temperature_k - self.reference) / _KELVIN_UNIT
            kelvin = torch.as_tensor(reduced, dtype=torch.float32)[:, None]
        rows = torch.as_tensor(_bounded(features), dtype=torch.float32)
        encoding: Any = self.encoding
        with torch.no_grad():
            found: Floats = encode(encoding, weights, rows, kelvin, 0.0).numpy().astype(np.float64)
        return found


@dataclass(frozen=True)
class Network:
    """An ensemble of small networks.

    Parameters
    ----------
    encoding
        ``mlp``, ``composition``, ``set`` or ``pairs``; `mlip_sse.properties.models.encoders` says what they are.
    arrhenius
        Heads for ln A and Ea in place of a plain readout; needs temperatures.
    loss
        ``tobit`` or ``laplace``; ``entropy`` for classes 0 and 1.
    n_members, n_hidden, n_layers
        Networks, and hidden numbers and layers of each.
    n_epochs, batch, learning_rate, decay, dropout
        Of the training by AdamW, whose rate falls to zero as a cosine.
    """

    encoding: Encoding = "mlp"
    arrhenius: bool = False
    loss: Loss = "tobit"
    n_members: int = 5
    n_hidden: int = 64
    n_layers: int = 2
    n_epochs: int = 150
    batch: int = 64
    learning_rate: float = 3e-3
    decay: float = 1e-2
    dropout: float = 0.1
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedNetwork:
        """Fit.

        Raises
        ------
        InputError
            When the readout of Arrhenius has no temperatures, or there is no such loss for these targets.
        """
        torch = _torch()
        if self.arrhenius and training.temperature_k is None:
            raise InputError("found no temperatures, expected one a row (in K): the readout of Arrhenius needs them")
        if self.loss not in _LOSSES or (self.loss == "entropy" and not np.isin(training.y, (0.0, 1.0)).all()):
            raise InputError(f"found the loss {self.loss!r}, expected tobit or laplace: entropy is that of classes")
        classes = self.loss == "entropy"
        centre, unit = (0.0, 1.0) if classes else (float(np.mean(training.y)), float(np.std(training.y)) or 1.0)
        reference = None if training.temperature_k is None else float(np.mean(1000.0 / training.temperature_k))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            weights = self._trained(training, centre, unit, reference)
        names = tuple(weights)
        arrays = tuple(weights[name].detach().numpy() for name in names)
        return FittedNetwork(self.encoding, names, arrays, self.arrhenius, reference, centre, unit)

    def _trained(self, training: Training, centre: float, unit: float, reference: float | None) -> Weights:
        torch = _torch()
        x = torch.as_tensor(_bounded(training.features), dtype=torch.float32)
        y = torch.as_tensor((training.y - centre) / unit, dtype=torch.float32)
        signs = torch.as_tensor(training.signs.astype(np.float32))
        tau = None
        if training.temperature_k is not None and reference is not None:
            tau = torch.as_tensor(1000.0 / training.temperature_k - reference, dtype=torch.float32)
        plain_kelvin = tau is not None and not self.arrhenius
        weights = self._first_weights(x.shape[1], plain_kelvin)
        trained = [each for each in weights.values() if each.requires_grad]
        optimizer = self._optimizer(weights)
        n_steps = self.n_epochs * math.ceil(len(y) / self.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, total_steps=n_steps)
        for _ in range(self.n_epochs):
            order = torch.stack([torch.randperm(len(y)) for _ in range(self.n_members)])
            for start in range(0, len(y), self.batch):
                rows = order[:, start : start + self.batch]
                kelvin = tau[rows][..., None] / _KELVIN_UNIT if plain_kelvin and tau is not None else None
                outputs = encode(self.encoding, weights, x[rows], kelvin, self.dropout)
                value = outputs[:, :, 0]
                if tau is not None and self.arrhenius:
                    value = value - torch.nn.functional.softplus(outputs[:, :, 1]) * tau[rows]
                spread = torch.exp(weights[SPREAD].clamp(-4.0, 2.0))
                loss = _LOSSES[self.loss](value, spread, y[rows], signs[rows]).mean(dim=1).sum()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, 5.0 * self.n_members)
                optimizer.step()
                schedule.step()
        return weights

    def _first_weights(self, n_inputs: int, with_kelvin: bool) -> Weights:
        """Return random weights and first spreads; all but the table of the elements are to be trained."""
        torch = _torch()
        n_outputs = 2 if self.arrhenius else 1
        weights = first_weights(
            self.encoding, n_inputs, self.n_hidden, self.n_layers, self.n_members, n_outputs, with_kelvin
        )
        weights[SPREAD] = torch.full((self.n_members, 1), math.log(_FIRST_SPREAD), dtype=torch.float32)
        for name, each in weights.items():
            each.requires_grad_(name != KNOWN)
        return weights

    def _optimizer(self, weights: Weights) -> Any:
        decayed = [each for name, each in weights.items() if name.endswith(".w") or name == "elements"]
        free = [each for name, each in weights.items() if name.endswith(".b") or name == SPREAD]
        groups = [{"params": decayed, "weight_decay": self.decay * 10}, {"params": free, "weight_decay": 0.0}]
        return _torch().optim.AdamW(groups, lr=self.learning_rate)


def _tobit(value: "Tensor", spread: "Tensor", y: "Tensor", signs: "Tensor") -> "Tensor":
    """Return −ln of the normal density of exact rows and of the probability beyond limits, (n_members, n_rows)."""
    torch = _torch()
    standard = (y - value) / spread
    limit = -torch.special.log_ndtr(torch.where(signs < 0, standard, -standard))
    found: Tensor = torch.where(signs == 0, 0.5 * standard**2 + torch.log(spread), limit)
    return found


def _laplace(value: "Tensor", spread: "Tensor", y: "Tensor", signs: "Tensor") -> "Tensor":
    """Return the same with the density e^(−|y − ŷ|/s) / 2s, less a constant."""
    torch = _torch()
    standard = (y - value) / spread
    inward = torch.where(signs < 0, standard, -standard)
    near = -torch.log1p(-0.5 * torch.exp(-inward.abs()))
    limit = torch.where(inward < 0, math.log(2.0) - inward, near)
    found: Tensor = torch.where(signs == 0, standard.abs() + torch.log(spread), limit)
    return found


def _entropy(value: "Tensor", spread: "Tensor", y: "Tensor", signs: "Tensor") -> "Tensor":
    """Return the cross entropy of log-odds and classes."""
    found: Tensor = _torch().nn.functional.softplus(value) - y * value
    return found


_LOSSES: dict[str, Callable[["Tensor", "Tensor", "Tensor", "Tensor"], "Tensor"]] = {
    "tobit": _tobit,
    "laplace": _laplace,
    "entropy": _entropy,
}


def _bounded(features: Floats) -> Floats:
    """Return features kept within three standard deviations: beyond, a network would go on in a straight line."""
    return np.clip(features, -3.0, 3.0)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("a network of properties", "properties") from error
    return torch
