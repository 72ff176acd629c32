"""Gaussian processes over features: of one task alone, or with a related source whose worth the data decide.

Alone:        y = m + f(x) + ε,           f ~ GP(0, k)            with k Matérn-5/2, one length a feature
With source:  cov(f_s(x), f_t(x′)) = B_st k(x, x′)                (intrinsic coregionalisation, BoTorch's MultiTaskGP)

A source is asked for its opinion and not believed: with at least three points of the target, the process with the
source is used only if it predicts each of them from the rest (and from the source) at least as well as the process of
the target alone, by the sum of leave-one-out log densities

    ln p(yᵢ | rest) = −½ ln 2πvᵢ − (yᵢ − μᵢ)²/(2vᵢ),   yᵢ − μᵢ = [K⁻¹(y − m)]ᵢ/[K⁻¹]ᵢᵢ,   vᵢ = 1/[K⁻¹]ᵢᵢ

References
----------
Bonilla, Chai and Williams, NeurIPS 20 (2007); Swersky, Snoek and Adams, NeurIPS 26 (2013); Rasmussen and Williams,
Gaussian Processes for Machine Learning (2006), eq. 5.10-5.12; Balandat et al., NeurIPS 33 (2020) (BoTorch).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, MissingExtraError

__all__ = ["LEAST_TO_JUDGE", "Source", "Surrogate", "fit_surrogate", "leave_one_out_log_density"]

Floats = npt.NDArray[np.float64]

LEAST_TO_JUDGE = 3
"""Points of the target from which on a source is judged; before, it is believed."""

_LENGTH, _LENGTH_SPREAD = 0.4, 0.7
_MAX_STEPS = 75
_FLAT = 1e-12


@dataclass(frozen=True, eq=False)
class Source:
    """What is known of a related task.

    Parameters
    ----------
    features
        (n_source, n_features), of the same meaning as those of the target.
    values
        (n_source, n_objectives), more being better.
    """

    features: Floats
    values: Floats

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.values.ndim != 2 or len(self.features) != len(self.values):
            raise InputError(
                f"found a source of {self.features.shape} features and {self.values.shape} values, expected equal rows"
            )
        if len(self.features) < LEAST_TO_JUDGE:
            raise InputError(f"found a source of {len(self.features)} points, expected at least {LEAST_TO_JUDGE}")


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A fitted process of one objective.

    Parameters
    ----------
    model
        BoTorch's, in units of ``unit`` about ``centre``.
    centre, unit
        Of the values.
    uses_source
        Whether the source is part of it.
    evidence
        Leave-one-out log density of the target's points with the source minus that without; None where not judged.
    correlation
        Between source and target, as fitted; None without a source.
    """

    model: Any
    centre: float
    unit: float
    uses_source: bool
    evidence: float | None
    correlation: float | None

    def predict(self, features: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the noiseless value at rows of features, each (n_rows,)."""
        torch = _torch()
        with torch.no_grad(), _double():
            posterior = self.model.posterior(torch.from_numpy(np.asarray(features, dtype=np.float64)))
            mean = posterior.mean[:, 0].numpy()
            spread = posterior.variance[:, 0].clamp_min(0).sqrt().numpy()
        return self.centre + self.unit * mean, self.unit * spread


def fit_surrogate(
    features: Floats, values: Floats, source_features: Floats | None = None, source_values: Floats | None = None
) -> Surrogate:
    """Fit to (n_rows, n_features) and (n_rows,), with or without a source.

    Raises
    ------
    InputError
        When no feature varies, over target and source together.
    """
    everything = features if source_features is None else np.vstack([features, source_features])
    if not len(everything) or np.all(np.ptp(everything, axis=0) == 0):
        raise InputError(
            f"no feature varies over {len(everything)} points, expected two different ones: measure another"
        )
    alone = None
    if source_features is None or source_values is None or len(features) >= LEAST_TO_JUDGE:
        alone = _fit_alone(features, values)
    if source_features is None or source_values is None:
        return alone if alone is not None else _fit_alone(features, values)
    joint = _fit_joint(features, values, source_features, source_values)
    if alone is None:
        return joint
    n_target = len(features)
    evidence = float(
        leave_one_out_log_density(joint.model)[-n_target:].sum()
        - n_target * np.log(joint.unit)
        - leave_one_out_log_density(alone.model).sum()
        + n_target * np.log(alone.unit)
    )
    chosen = joint if evidence >= 0 else alone
    return Surrogate(chosen.model, chosen.centre, chosen.unit, evidence >= 0, evidence, joint.correlation)


def leave_one_out_log_density(model: Any) -> Floats:
    """Return ln p(yᵢ | all others) of each training row of a process, hyperparameters as they are, (n_rows,)."""
    torch = _torch()
    with torch.no_grad(), _double():
        model.train()
        inputs = model.train_inputs
        noisy = model.likelihood(model(*inputs), *inputs)
        covariance, residual = noisy.covariance_matrix, model.train_targets - noisy.mean
        model.eval()
        inverse = torch.linalg.inv(covariance)
        variance = 1.0 / inverse.diagonal()
        miss = (inverse @ residual) * variance
        density = -0.5 * torch.log(2 * torch.pi * variance) - 0.5 * miss**2 / variance
    return np.asarray(density.numpy(), dtype=np.float64)


def _fit_alone(features: Floats, values: Floats) -> Surrogate:
    torch = _torch()
    from botorch.models import SingleTaskGP

    centre, unit = float(values.mean()), _unit(values)
    with _double():
        model = SingleTaskGP(
            torch.from_numpy(np.array(features)),
            torch.from_numpy((values - centre) / unit)[:, None],
            covar_module=_scaled(_kernel(features.shape[1])),
            outcome_transform=None,
        )
        _fit(model)
    return Surrogate(model, centre, unit, False, None, None)


def _fit_joint(features: Floats, values: Floats, source_features: Floats, source_values: Floats) -> Surrogate:
    torch = _torch()
    from botorch.models import MultiTaskGP

    source_centre, source_unit = float(source_values.mean()), _unit(source_values)
    centre = float(values.mean()) if len(values) else source_centre
    # The spread of one or two points says little: that of the source stands in for it.
    unit = _unit(values) if len(values) >= LEAST_TO_JUDGE else source_unit
    rows = np.vstack([source_features, features])
    task = np.repeat([0.0, 1.0], [len(source_features), len(features)])
    target = np.concatenate([(source_values - source_centre) / source_unit, (values - centre) / unit])
    with _double():
        model = MultiTaskGP(
            torch.from_numpy(np.column_stack([rows, task])),
            torch.from_numpy(target)[:, None],
            task_feature=-1,
            all_tasks=[0, 1],
            output_tasks=[1],
            covar_module=_kernel(features.shape[1]),
            outcome_transform=None,
            validate_task_values=False,
        )
        _fit(model)
        with torch.no_grad():
            between = model.covar_module.kernels[1].covar_matrix.to_dense()
    correlation = float(between[0, 1] / torch.sqrt(between[0, 0] * between[1, 1]))
    return Surrogate(model, centre, unit, True, None, correlation)


def _kernel(n_features: int) -> Any:
    from gpytorch.kernels import MaternKernel
    from gpytorch.priors import LogNormalPrior

    prior = LogNormalPrior(float(np.log(_LENGTH)), _LENGTH_SPREAD)
    kernel = MaternKernel(
        nu=2.5, ard_num_dims=n_features, active_dims=tuple(range(n_features)), lengthscale_prior=prior
    )
    kernel.lengthscale = _LENGTH
    return kernel


def _scaled(kernel: Any) -> Any:
    from gpytorch.kernels import ScaleKernel
    from gpytorch.priors import GammaPrior

    return ScaleKernel(kernel, outputscale_prior=GammaPrior(2.0, 1.0))


def _fit(model: Any) -> None:
    import warnings

    from botorch.exceptions.errors import ModelFittingError
    from botorch.fit import fit_gpytorch_mll
    from gpytorch.mlls import ExactMarginalLogLikelihood

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops at its last step is a fit
        try:
            fit_gpytorch_mll(
                ExactMarginalLogLikelihood(model.likelihood, model),
                optimizer_kwargs={"options": {"maxiter": _MAX_STEPS}},
                max_attempts=1,
            )
        except ModelFittingError:
            model.eval()  # the priors' modes, where it starts, are what is left


def _unit(values: Floats) -> float:
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return spread if spread > _FLAT else 1.0


@contextmanager
def _double() -> Iterator[None]:
    """Compute in double precision on one thread, whatever the caller has set, and without warnings about it."""
    import warnings

    torch = _torch()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(before)


def _torch() -> Any:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of torch about what BoTorch's own packages use
            import botorch  # noqa: F401
            import torch
    except ImportError as error:
        raise MissingExtraError("Bayesian optimisation", "properties") from error
    return torch
