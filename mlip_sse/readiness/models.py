"""What trains and runs the neural potentials: torch, its accelerator, NequIP and Allegro."""

from importlib import metadata

from mlip_sse.readiness.checks import Check, extra_check, python_says

__all__ = ["nequip", "torch"]

_ADVICE = "pip install 'mlip-sse[nequip]'"

_TORCH_PROBE = """
import torch
x = torch.eye(3, dtype=torch.float64)
assert (x @ x).trace().item() == 3.0
if torch.cuda.is_available():
    cuda = f"CUDA {torch.version.cuda} on {torch.cuda.get_device_name(0)}"
elif torch.version.cuda:
    cuda = f"built for CUDA {torch.version.cuda}, but finds no device: runs on the CPU"
else:
    cuda = "built without CUDA: runs on the CPU"
print(f"{torch.__version__}, {cuda}")
"""


def torch() -> Check:
    """Multiply two matrices, and ask for CUDA."""
    try:
        metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Check("torch", False, False, "it is not installed", _ADVICE)
    ran, output = python_says(_TORCH_PROBE)
    return Check("torch", ran, False, output, _ADVICE)


def nequip() -> Check:
    """Look at the versions of NequIP, Allegro and their torch, which go together."""
    return extra_check("NequIP, Allegro", "nequip")
