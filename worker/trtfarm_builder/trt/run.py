"""The step `trt-run`: arrays through an engine, outputs into one .npz file."""

import zipfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.device import device_for
from trtfarm_builder.trt.engine import Runner, open_engine
from trtfarm_builder.trt.samples import EngineSamples

_OUTPUTS = "outputs.npz"


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: engine (path), inputs {name: array spec}, batch_size (default: the profile's largest), profile (default:
    the first that takes them), and compute_capability where the GPU must be of one.

    Returns outputs (file: an array for each output, all samples), samples, device, profile and shapes {output: shape}.
    Outputs that are not counted by samples are those of the last batch. All outputs are held in memory.
    """
    device = device_for(args.get("compute_capability"))
    engine = open_engine(Path(args["engine"]), channel)
    samples = EngineSamples(engine, args["inputs"])
    engine = engine.for_samples(samples.shapes, wanted=args.get("profile"), size=args.get("batch_size"))
    size = min(args.get("batch_size") or engine.batches[1], engine.batches[1])
    found: Dict[str, List[NDArray[Any]]] = {port.name: [] for port in engine.outputs}
    with Runner(engine) as runner:
        for start in range(0, samples.count, size):
            stop = min(start + size, samples.count)
            for name, array in runner.run(samples.read(start, stop)).items():
                found[name] = [*found[name], array] if array.shape[:1] == (stop - start,) else [array]
            channel.progress("run", stop, samples.count, "samples")
    outputs = {name: np.concatenate(arrays) for name, arrays in found.items()}
    _save(outputs)
    return {
        "outputs": _OUTPUTS,
        "samples": samples.count,
        "device": device,
        "profile": engine.profile,
        "shapes": {name: list(array.shape) for name, array in outputs.items()},
    }


def _save(outputs: Dict[str, NDArray[Any]]) -> None:
    """As numpy.savez, which takes no array that is called `file`."""
    with zipfile.ZipFile(_OUTPUTS, "w") as archive:
        for name, array in outputs.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)
