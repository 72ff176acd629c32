"""Labelled frames: checked, content-addressed, each there once, labelled in one way, kept in a folder.

>>> from mlip_sse.dataset import Dataset, Fingerprint, read_frames
>>> frames = read_frames("train.extxyz", Fingerprint.declared("PBE, VASP 6.4, 520 eV"))  # doctest: +SKIP
>>> Dataset("my_dataset", create=True).add(frames)  # doctest: +SKIP
"""

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.dataset.frame_text import write_extxyz
from mlip_sse.dataset.from_extxyz import read_extxyz
from mlip_sse.dataset.imports import read_frames
from mlip_sse.dataset.plausibility import DatasetWarning, doubts_about_stress
from mlip_sse.dataset.split import Split, split_by_group, split_by_time
from mlip_sse.dataset.statistics import Statistics, plot_compositions, plot_forces, plot_volumes, summarise
from mlip_sse.dataset.store import Added, Dataset

__all__ = [
    "Added",
    "Dataset",
    "DatasetWarning",
    "Fingerprint",
    "LabelledFrame",
    "Split",
    "Statistics",
    "doubts_about_stress",
    "plot_compositions",
    "plot_forces",
    "plot_volumes",
    "read_extxyz",
    "read_frames",
    "split_by_group",
    "split_by_time",
    "summarise",
    "write_extxyz",
]
