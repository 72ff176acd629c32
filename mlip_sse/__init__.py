"""mlip-sse: ionic transport in solid electrolytes, with intervals that can be trusted.

The names below load on first use, so that ``import mlip_sse`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.analysis.analyze import analyze
    from mlip_sse.analysis.transport.transport import Transport
    from mlip_sse.campaign.campaign import Campaign
    from mlip_sse.potentials.contract import load_potential
    from mlip_sse.references.contract import load_reference
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Campaign", "Trajectory", "Transport", "analyze", "load_potential", "load_reference"]

_HOME = {
    "Campaign": "mlip_sse.campaign.campaign",
    "Trajectory": "mlip_sse.trajectory.model",
    "Transport": "mlip_sse.analysis.transport.transport",
    "analyze": "mlip_sse.analysis.analyze",
    "load_potential": "mlip_sse.potentials.contract",
    "load_reference": "mlip_sse.references.contract",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name == "__version__":
        from mlip_sse.provenance import package_version

        return package_version()
    raise AttributeError(f"module 'mlip_sse' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
