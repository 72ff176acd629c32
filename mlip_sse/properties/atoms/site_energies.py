"""The energy that a surrogate gives each atom; the energies of a frame add up to that of the frame."""

import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["surrogate_site_energies"]

_SURROGATES = ("chgnet",)


def surrogate_site_energies(frames: "Sequence[Atoms]", surrogate: str = "chgnet") -> list[npt.NDArray[np.float64]]:
    """Return the site energies of each frame, (n_atoms,) eV, by CHGNet on one thread.

    How a total is split over atoms is the surrogate's own: only sums are observable.

    Raises
    ------
    InputError
        When the surrogate is not known.
    MissingExtraError
        When it is not installed.

    References
    ----------
    Deng et al., Nat. Mach. Intell. 5, 1031 (2023), 10.1038/s42256-023-00716-3 (CHGNet).
    """
    if surrogate not in _SURROGATES:
        raise InputError(f"found site energies of {surrogate!r}, expected {' or '.join(_SURROGATES)}")
    try:
        import torch
        from chgnet.model import CHGNet
        from pymatgen.io.ase import AseAtomsAdaptor
    except ImportError as error:
        raise MissingExtraError("site energies of CHGNet", "chgnet") from error
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float32)  # as it was trained; others set double for good
    torch.set_num_threads(1)
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that CHGNet takes a volume out of a graph of gradients
            model = CHGNet.load(use_device="cpu", verbose=False)
            structures = [AseAtomsAdaptor.get_structure(atoms) for atoms in frames]
            said = [model.predict_structure(each, task="e", return_site_energies=True) for each in structures]
    finally:
        torch.set_default_dtype(before)
        torch.set_num_threads(threads)
    return [np.asarray(each["site_energies"], dtype=np.float64).ravel() for each in said]
