"""Molecular dynamics from a protocol: a checked spec in, trajectories in folders out."""

from mlip_sse.md_protocols.result import SegmentResult, SimulationResult
from mlip_sse.md_protocols.run import run
from mlip_sse.md_protocols.specs import DiffusionSpec, load_protocol

__all__ = ["DiffusionSpec", "SegmentResult", "SimulationResult", "load_protocol", "run"]
