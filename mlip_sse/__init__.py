"""mlip-sse: machine-learned potentials and molecular dynamics for solid electrolytes, with intervals that can be trusted.

The names below load on first use, so that ``import mlip_sse`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Trajectory"]

_HOME = {"Trajectory": "mlip_sse.trajectory.model"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'mlip_sse' has no attribute {name!r}; it offers {', '.join(__all__)}")
