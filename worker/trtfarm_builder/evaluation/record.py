"""The step `record`: what a model computes on samples, kept to hold engines to it."""

from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np
from numpy.lib import format as npy

from trtfarm_builder.channel import Channel
from trtfarm_builder.evaluation.metrics import Array
from trtfarm_builder.evaluation.outputs import Model
from trtfarm_builder.failures import BadDataError, BadModelError
from trtfarm_builder.reference.samples import open_samples

#: Raised when the same model and samples give other files, so that farms record again.
REVISION = 1


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: model (path), inputs {name: array spec}, batch_size (samples that are run at once).

    Returns revision, samples, outputs {name: {file, dtype, shape}} with samples along the first axis, and skipped
    [{output, reason}]: those that have no row for each sample, or rows of several shapes. Memory does not grow with the
    number of samples. Raises BadModelError where nothing is left, BadDataError.
    """
    model = Model.read(Path(args["model"]))
    samples = open_samples(model.inputs, args["inputs"])
    if samples.count == 0:
        raise BadDataError("there are no samples to record")
    names = (*model.floating, *model.integer)
    recordings = [
        _Recording(name, Path("output{}.npy".format(place)), samples.count) for place, name in enumerate(names)
    ]
    size = model.fixed_batch or args["batch_size"]
    for start in range(0, samples.count, size):
        stop = min(start + size, samples.count)
        found = model.run(samples.read(start, stop), names)
        for recording in recordings:
            recording.add(found[recording.name], stop - start)
        channel.progress("record", stop, samples.count, "samples")
    kept = {recording.name: recording.described() for recording in recordings if recording.unfit is None}
    skipped = [{"output": item.name, "reason": item.unfit} for item in recordings if item.unfit is not None]
    skipped += [{"output": name, "reason": "is of type {}".format(model.outputs[name])} for name in model.other]
    if not kept:
        raise BadModelError(
            "no output of the model can be compared sample by sample",
            cause="; ".join("{} {}".format(item["output"], item["reason"]) for item in skipped),
            remedy="export the model with outputs whose first axis counts the samples",
        )
    return {"revision": REVISION, "samples": samples.count, "outputs": kept, "skipped": skipped}


class _Recording:
    """One output's rows on their way into a file; the first batch tells what a row is.

    Written, not memory-mapped: a full disk would kill the process.
    """

    def __init__(self, name: str, path: Path, count: int) -> None:
        self.name = name
        #: Why it cannot be recorded.
        self.unfit: Optional[str] = None
        self._path = path
        self._shape: Tuple[int, ...] = (count,)
        self._dtype: Optional["np.dtype[Any]"] = None

    def add(self, array: Array, samples: int) -> None:
        if self.unfit is not None:
            return
        if array.shape[:1] != (samples,):
            self.unfit = "has no row for each sample: {} for {}".format(list(array.shape), samples)
        elif self._dtype is None:
            self._begin(array)
        elif array.shape[1:] != self._shape[1:]:
            self.unfit = "has rows of {} and of {}".format(list(self._shape[1:]), list(array.shape[1:]))
        if self.unfit is None:
            with self._path.open("ab") as file:
                file.write(np.ascontiguousarray(array).tobytes())

    def _begin(self, array: Array) -> None:
        self._dtype, self._shape = array.dtype, (*self._shape, *array.shape[1:])
        header = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": self._shape}
        with self._path.open("wb") as file:
            npy.write_array_header_1_0(file, header)

    def described(self) -> Dict[str, Any]:
        return {"file": str(self._path), "dtype": str(self._dtype), "shape": list(self._shape)}
