"""Values that are only bounded: "<1e-10" is a detection limit, and is used as such.

A censored value carries the limit and a sign: 0 exact, −1 an upper limit (the truth lies below), +1 a lower limit. A
normal error of width s about a prediction f gives the Tobit likelihood

    exact:        −ln s − (y − f)²/(2 s²)
    upper limit:  ln Φ((y − f)/s)          lower limit:  ln Φ((f − y)/s)

and the mean of what a censored value may be, E[y′ | y′ < y] = f − s φ(a)/Φ(a) with a = (y − f)/s, which is what
iterated imputation puts in its place (Buckley and James) where a learner knows squared errors only.

References
----------
Tobin, Econometrica 26, 24 (1958), 10.2307/1907382; Buckley and James, Biometrika 66, 429 (1979),
10.1093/biomet/66.3.429.
"""

import math
import re

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from mlip_sse.errors import FormatError, InputError

__all__ = ["censored_mean", "hinge_errors", "parse_number", "require_signs", "tobit_log_likelihood", "tobit_slopes"]

Array = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]

_NUMBER = re.compile(r"\s*(<=|>=|<|>|≤|≥|~|≈)?\s*([-+−]?[0-9.]+(?:\s*[eE][-+−]?[0-9]+)?)\s*")
_MISSING = {"", "na", "n/a", "nan", "none", "null", "-", "--"}


def parse_number(text: object, where: str = "value") -> tuple[float, int]:
    """Return a number and its censoring sign from what a table prints: ``"<1e-10"`` is (1e-10, −1).

    Nothing, "NaN", "n/a" and the like are (nan, 0).

    Raises
    ------
    FormatError
        When the text is neither.
    """
    if isinstance(text, int | float | np.integer | np.floating):
        return float(text), 0
    plain = "" if text is None else str(text)
    if plain.strip().lower() in _MISSING:
        return math.nan, 0
    match = _NUMBER.fullmatch(plain)
    if match is None:
        raise FormatError(f"{where}: found {plain[:30]!r}, expected a number, '<number', '>number' or nothing")
    sign, digits = match.group(1) or "", match.group(2).replace("−", "-").replace(" ", "")
    try:
        value = float(digits)
    except ValueError as error:
        raise FormatError(f"{where}: found {plain[:30]!r}, expected a number") from error
    return value, -1 if sign[:1] in ("<", "≤") else 1 if sign[:1] in (">", "≥") else 0


def require_signs(censored: npt.ArrayLike | None, n_rows: int) -> Signs:
    """Return the censoring signs of ``n_rows`` rows; all exact where there are none."""
    if censored is None:
        return np.zeros(n_rows, dtype=np.int8)
    signs = np.asarray(censored)
    if signs.shape != (n_rows,) or not np.isin(signs, (-1, 0, 1)).all():
        raise InputError(f"found censoring of shape {signs.shape}, expected {n_rows} signs of −1, 0 and 1")
    return signs.astype(np.int8)


def tobit_log_likelihood(y: Array, signs: Signs, fitted: Array, spread: Array | float) -> Array:
    """Return the log-likelihood of each row, without the constant −½ ln 2π of the exact ones."""
    standard = (y - fitted) / spread
    exact = -0.5 * standard**2 - np.log(spread)
    return np.where(signs == 0, exact, log_ndtr(np.where(signs < 0, standard, -standard)))


def tobit_slopes(y: Array, signs: Signs, fitted: Array, spread: float) -> tuple[Array, Array]:
    """Return first and (negative) second derivative of the log-likelihood in the fitted value, each (n_rows,)."""
    standard = (y - fitted) / spread
    towards = np.where(signs < 0, standard, -standard)
    hazard = _hazard(towards)
    first = np.where(signs == 0, standard, np.where(signs < 0, -hazard, hazard)) / spread
    second = np.where(signs == 0, 1.0, np.maximum(hazard * (hazard + towards), 1e-10)) / spread**2
    return first, second


def censored_mean(y: Array, signs: Signs, fitted: Array, spread: Array | float) -> Array:
    """Return y where it is exact, and else the mean of a normal about ``fitted`` beyond the limit."""
    standard = (y - fitted) / spread
    shift = spread * _hazard(np.where(signs < 0, standard, -standard))
    beyond = np.where(signs < 0, np.minimum(fitted - shift, y), np.maximum(fitted + shift, y))
    return np.where(signs == 0, y, beyond)


def hinge_errors(y: Array, signs: Signs, predicted: Array) -> Array:
    """Return predicted − y, and nothing where a limit is not contradicted."""
    error = predicted - y
    return np.where(signs == 0, error, np.where(signs < 0, np.maximum(error, 0.0), np.minimum(error, 0.0)))


def _hazard(x: Array) -> Array:
    """Return φ(x)/Φ(x), which tends to −x far in the tail."""
    near = np.maximum(x, -1e3)
    ratio: Array = np.exp(-0.5 * near**2 - 0.5 * math.log(2 * math.pi) - log_ndtr(near))
    return np.where(x < -1e3, -x, ratio)
