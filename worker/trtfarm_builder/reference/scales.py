"""From what was observed to the scales of a calibration table."""

import struct
from typing import Any, Callable, Dict, List

import numpy as np

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.reference.magnitudes import NOT_A_NUMBER
from trtfarm_builder.reference.observation import Observation
from trtfarm_builder.reference.rules import Rule

#: Taken for a tensor that was zero throughout: TensorRT fails on a zero scale, and zero is exact on any other. Also for
#: one whose scale would be subnormal, which GPUs take for zero.
ASSUMED_AMAX = 1.0
_STEPS = 127
# GPUs may take smaller numbers for zero.
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


def conclude(observation: Observation, rule: Rule, on_tensor: Callable[[int, int], None]) -> Dict[str, Any]:
    """The answer of a calibration: scales as hex float32 by tensor in network order, and what is to be said about them.

    Raises BadModelError where an output of the model is not a number, or no tensor can have a scale.
    """
    subject = observation.subject
    _check_outputs(observation)
    scales: Dict[str, str] = {}
    skipped = [{"tensor": name, "reason": "of a float type that NumPy does not read"} for name in subject.unreadable]
    assumed: List[Dict[str, str]] = []
    known: Dict[str, float] = {}
    for done, (name, statistic) in enumerate(observation.statistics.items(), start=1):
        if statistic.base and not statistic.fault:
            known[name] = rule.amax(statistic.summary())
        on_tensor(done, len(observation.statistics))
    for tensor, origin in subject.origins.items():
        fault = observation.statistics[origin].fault
        if fault:
            skipped.append({"tensor": tensor, "reason": "a value is {}".format(fault)})
            continue
        scale = _scale(known.get(origin, 0.0))
        if scale < _SMALLEST_SCALE:
            scale = _scale(ASSUMED_AMAX)
            seen = "nearly zero" if origin in known else "zero"
            assumed.append({"tensor": tensor, "reason": seen + " throughout; its largest magnitude is taken as 1"})
        scales[tensor] = scale_hex(scale)
    if not scales:
        raise BadModelError("the model has no float tensor that can have a scale")
    return {
        "scales": scales,
        "samples": observation.samples,
        "batches": observation.batches,
        "engine": subject.engine,
        "revision": subject.revision,
        "skipped": skipped,
        "assumed": assumed,
        "unlike": list(observation.unlike),
    }


def scale_hex(value: float) -> str:
    """A float32 as a calibration table writes it: 8 hex digits, big-endian."""
    return struct.pack(">f", value).hex()


def _scale(amax: float) -> float:
    return float(np.float32(amax) / np.float32(_STEPS))


def _check_outputs(observation: Observation) -> None:
    statistics, origins = observation.statistics, observation.subject.origins
    bad = [name for name in observation.subject.outputs if statistics[origins[name]].fault == NOT_A_NUMBER]
    if not bad:
        return
    first = next(name for name, origin in origins.items() if statistics[origin].fault)
    raise BadModelError(
        "output {!r} holds values that are not a number".format(bad[0]),
        cause="the first tensor with such values, or infinite ones, is {!r}".format(first),
        remedy="check the model, and that the data are scaled as it expects",
    )
