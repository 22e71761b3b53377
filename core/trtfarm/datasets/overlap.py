"""Whether verification data is really held out: samples that it shares with the calibration data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.held_out import nothing_held_out
from trtfarm.datasets.npy import open_npy

_SAMPLE_DIGEST_BYTES = 16


def check_held_out(calibration: DataSet, test: DataSet) -> tuple[str, ...]:
    """Notices on test samples that were also used for calibration; raises DataError when all of them were."""
    shared = overlap(calibration, test)
    if shared == test.samples:
        raise nothing_held_out()
    return (f"{shared} of {test.samples} test samples are also among the calibration samples",) if shared else ()


def overlap(calibration: DataSet, test: DataSet) -> int:
    """How many test samples are, in all inputs and to the byte, also calibration samples; reads both sets."""
    seen = set(_sample_digests(calibration))
    return sum(digest in seen for digest in _sample_digests(test))


def _sample_digests(data: DataSet) -> Iterator[tuple[bytes, ...]]:
    return zip(*(_array_sample_digests(array) for array in data.inputs.values()), strict=True)


def _array_sample_digests(array: Array) -> Iterator[bytes]:
    with open_npy(DataFile(path=array.path)) as stream:
        for chunk in stream.chunks():
            for sample in chunk:
                yield hashlib.blake2b(sample.tobytes(), digest_size=_SAMPLE_DIGEST_BYTES).digest()
