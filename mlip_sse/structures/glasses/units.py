"""What glasses are packed from: rigid polyanions and single ions.

Lengths are those of the crystals: P-S 2.05 Å to a terminal and 2.12 Å to a bridging sulphur, P-P 2.25 Å, P-S-P 109°.

References
----------
Li3PS4: Homma et al., Solid State Ion. 182, 53 (2011), doi:10.1016/j.ssi.2010.10.001.
P2S7 in Li7P3S11: Yamane et al., Solid State Ion. 178, 1163 (2007), doi:10.1016/j.ssi.2007.05.020.
P2S6 in Li4P2S6: Mercier et al., J. Solid State Chem. 43, 151 (1982), doi:10.1016/0022-4596(82)90224-9.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError, did_you_mean

__all__ = ["UNIT_NAMES", "RigidUnit", "ion", "rigid_unit"]

_P_S, _P_S_BRIDGE, _P_P = 2.05, 2.12, 2.25
_P_S_P_DEG, _S_P_S_EDGE_DEG = 109.0, 93.0


@dataclass(frozen=True, eq=False)
class RigidUnit:
    """Atoms that keep their places to each other.

    Parameters
    ----------
    name
        What it is called.
    symbols
        Chemical symbols.
    positions : (n_atoms, 3) Å, about their mean
    charge_e
        Formal charge in e.
    """

    name: str
    symbols: tuple[str, ...]
    positions: NDArray[np.float64]
    charge_e: int

    def __post_init__(self) -> None:
        places = np.array(self.positions, dtype=np.float64)
        if places.shape != (len(self.symbols), 3) or not len(self.symbols) or not np.isfinite(places).all():
            raise InputError(
                f"unit {self.name!r}: found positions of shape {places.shape} for {len(self.symbols)} atoms, expected "
                "three finite numbers for each"
            )
        places -= places.mean(axis=0)
        places.flags.writeable = False
        object.__setattr__(self, "positions", places)

    def __len__(self) -> int:
        return len(self.symbols)


def ion(symbol: str, charge_e: int) -> RigidUnit:
    """Return a single ion.

    Parameters
    ----------
    symbol
        Chemical symbol.
    charge_e
        Formal charge in e.
    """
    return RigidUnit(symbol, (symbol,), np.zeros((1, 3)), charge_e)


@cache
def rigid_unit(name: str) -> RigidUnit:
    """Return a unit by its name.

    Parameters
    ----------
    name
        One of `UNIT_NAMES`. ``P2S6`` is the ethane-like P₂S₆⁴⁻ with its P-P bond, ``P2S6 edge-sharing`` the P₂S₆²⁻ of
        two tetrahedra that share an edge.

    Raises
    ------
    InputError
        When there is no unit of that name.
    """
    if name not in _BUILD:
        raise InputError(
            f"found no unit {name!r}{did_you_mean(name, _BUILD)}, expected one of {', '.join(_BUILD)}; make your own "
            "with RigidUnit"
        )
    return _BUILD[name]()


def _ps4() -> RigidUnit:
    corners = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    return RigidUnit("PS4", ("P", *"SSSS"), np.vstack([np.zeros(3), _P_S * corners]), -3)


def _p2s7() -> RigidUnit:
    half = np.radians(_P_S_P_DEG) / 2
    arm = _P_S_BRIDGE * np.array([np.sin(half), np.cos(half), 0.0])
    phosphorus = [arm * [-1, 1, 1], arm]  # the bridge lies at the origin
    # one sulphur of each lies in the plane of P-S-P, far from the other tetrahedron
    ends = [p + s for p in phosphorus for s in _cap(p / np.linalg.norm(p), np.array([0.0, -1.0, 0.0]))]
    return RigidUnit("P2S7", ("S", "P", "P", *"SSSSSS"), np.vstack([np.zeros(3), *phosphorus, *ends]), -4)


def _p2s6() -> RigidUnit:
    axis = np.array([1.0, 0.0, 0.0])
    up = np.array([0.0, 1.0, 0.0])
    phosphorus = [-_P_P / 2 * axis, _P_P / 2 * axis]
    ends = [phosphorus[0] + s for s in _cap(-axis, up)] + [phosphorus[1] + s for s in _cap(axis, -up)]  # staggered
    return RigidUnit("P2S6", ("P", "P", *"SSSSSS"), np.vstack([*phosphorus, *ends]), -4)


def _p2s6_edge() -> RigidUnit:
    half = np.radians(_S_P_S_EDGE_DEG) / 2
    away, aside = _P_S_BRIDGE * np.cos(half), _P_S_BRIDGE * np.sin(half)
    phosphorus = [np.array([-away, 0.0, 0.0]), np.array([away, 0.0, 0.0])]
    bridges = [np.array([0.0, -aside, 0.0]), np.array([0.0, aside, 0.0])]
    tilt = np.radians(114.0) / 2
    ends = [
        p + _P_S * np.array([np.sign(p[0]) * np.cos(tilt), 0.0, sign * np.sin(tilt)])
        for p in phosphorus
        for sign in (-1.0, 1.0)
    ]
    return RigidUnit("P2S6 edge-sharing", ("P", "P", *"SSSSSS"), np.vstack([*phosphorus, *bridges, *ends]), -2)


def _cap(outward: NDArray[np.float64], up: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return three terminal bonds around an axis, at the tetrahedron's angle to the bond on its other side."""
    first = np.cross(outward, up)
    first = np.cross(first, outward) / np.linalg.norm(first)
    second = np.cross(outward, first)
    turns = 2 * np.pi * np.arange(3) / 3
    return [_P_S * (outward / 3 + np.sqrt(8) / 3 * (np.cos(turn) * first + np.sin(turn) * second)) for turn in turns]


_BUILD: Mapping[str, Callable[[], RigidUnit]] = MappingProxyType(
    {
        "PS4": _ps4,
        "P2S7": _p2s7,
        "P2S6": _p2s6,
        "P2S6 edge-sharing": _p2s6_edge,
        "S": lambda: ion("S", -2),
        "Li": lambda: ion("Li", 1),
        "Na": lambda: ion("Na", 1),
    }
)

UNIT_NAMES: tuple[str, ...] = tuple(_BUILD)
"""Units that `rigid_unit` knows."""
