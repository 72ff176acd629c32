"""Segments of dynamics that look at themselves as they run, and end where the potential cannot be trusted any more."""

from mlip_sse.md_protocols.exploration.looks import Looks, load_looks

__all__ = ["Looks", "load_looks"]
