"""What `polygraphy convert --data-loader-script` reads: the batches of the arrays that PEER_DATA names, as JSON."""

import json
import os

import numpy as np


def load_data():  # type: ignore[no-untyped-def]  # run by the toolchain's CPython, from 3.8 on
    asked = json.loads(os.environ["PEER_DATA"])
    arrays = {name: np.load(path, mmap_mode="r") for name, path in asked["inputs"].items()}
    size = asked["batch_size"]
    samples = min(len(array) for array in arrays.values())
    for start in range(0, samples - size + 1, size):
        yield {name: np.ascontiguousarray(array[start : start + size]) for name, array in arrays.items()}
