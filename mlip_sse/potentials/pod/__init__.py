"""POD: a fast linear potential on the descriptors of LAMMPS' ML-POD."""

from mlip_sse.potentials.pod.specs import PodSpec

__all__ = ["PodSpec"]
