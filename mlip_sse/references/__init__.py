"""Reference labels: energy, forces and stress from first principles, or from a surrogate that is called one.

>>> from mlip_sse import load_reference
>>> labels = load_reference("chgnet").label(frames, "tasks")  # doctest: +SKIP
"""

from mlip_sse.references.contract import Failure, Labels, Reference, load_reference
from mlip_sse.references.gates import Gates
from mlip_sse.references.specs import (
    REFERENCES,
    AseSpec,
    ChgnetSpec,
    Cp2kSpec,
    EspressoSpec,
    GpawSpec,
    ReferenceSpec,
    VaspSpec,
)

__all__ = [
    "REFERENCES",
    "AseSpec",
    "ChgnetSpec",
    "Cp2kSpec",
    "EspressoSpec",
    "Failure",
    "Gates",
    "GpawSpec",
    "Labels",
    "Reference",
    "ReferenceSpec",
    "VaspSpec",
    "load_reference",
]
