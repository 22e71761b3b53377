"""The step `trt-evaluate`: an engine against a reference on held-out samples, both computed for real."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

import numpy as np

from trtfarm_builder.arrays import ArrayFile, open_array
from trtfarm_builder.channel import Channel
from trtfarm_builder.evaluation.comparison import REVISION, Comparison, check_classifier
from trtfarm_builder.failures import BadDataError, BadModelError
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.engine import Arrays, Engine, Runner, open_engine
from trtfarm_builder.trt.samples import EngineSamples

#: Outputs of samples start to stop.
Reference = Callable[[int, int], Arrays]


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: candidate (path of an engine), inputs {name: array spec}, batch_size, and as reference either reference
    (path of an engine, FP32 say) or reference_outputs {output: array spec}; labels and output as for `evaluate`.
    Outputs that were not recorded are not compared. profile is the candidate's, by default the first that takes them.

    Returns as `evaluate`, with simulated False, device and profile. Raises BadModelError, BadDataError,
    BadRequestError.
    """
    candidate = open_engine(Path(args["candidate"]), channel)
    samples = EngineSamples(candidate, args["inputs"])
    candidate = candidate.for_samples(samples.shapes, wanted=args.get("profile"))
    labels = _open_labels(args.get("labels"), samples.count)
    compared = [port for port in candidate.outputs if port.name in args.get("reference_outputs", candidate.ports)]
    floating = [port.name for port in compared if np.issubdtype(port.dtype, np.floating)]
    integer = [port.name for port in compared if port.name not in floating]
    classifier = args.get("output")
    if classifier is not None:
        check_classifier(classifier, floating)
    comparison = Comparison(floating, integer, classifier)
    with ExitStack() as stack:
        reference = _reference(args, candidate, samples, channel, stack)
        runner = stack.enter_context(Runner(candidate))
        size = min(args["batch_size"], candidate.batches[1])
        for start in range(0, samples.count, size):
            stop = min(start + size, samples.count)
            truth = None if labels is None else labels.read(start, stop)
            comparison.add(reference(start, stop), runner.run(samples.read(start, stop)), stop - start, truth)
            channel.progress("evaluate", stop, samples.count, "samples")
    return {
        "revision": REVISION,
        "samples": samples.count,
        "simulated": False,
        "outputs": comparison.outputs(),
        "skipped_outputs": [port.name for port in candidate.outputs if port not in compared],
        "classification": None if labels is None else comparison.classification(),
        "device": current_device(),
        "profile": candidate.profile,
    }


def _reference(
    args: Mapping[str, Any], candidate: Engine, samples: EngineSamples, channel: Channel, stack: ExitStack
) -> Reference:
    if "reference_outputs" in args:
        return _recorded(candidate, args["reference_outputs"], samples.count)
    engine = open_engine(Path(args["reference"]), channel)
    if {port.name for port in engine.ports.values()} != {port.name for port in candidate.ports.values()}:
        raise BadModelError(
            "the two engines differ in their inputs or outputs, so they cannot be compared",
            cause="{} against {}".format(sorted(engine.ports), sorted(candidate.ports)),
            remedy="compare engines of the same model",
        )
    runner = stack.enter_context(Runner(engine.for_samples(samples.shapes)))
    return lambda start, stop: runner.run(samples.read(start, stop))


def _recorded(candidate: Engine, specs: Mapping[str, Dict[str, Any]], count: int) -> Reference:
    arrays = {name: open_array(name, spec) for name, spec in specs.items()}
    strange = sorted(set(arrays) - {port.name for port in candidate.outputs})
    short = sorted(name for name, array in arrays.items() if array.samples != count)
    if strange or short or not arrays:
        raise BadDataError(
            "the reference outputs are not those of this engine on these samples: {}".format(
                ", ".join(strange or short)
            ),
            remedy="record the outputs of the model that the engine is built from, for these {} samples".format(count),
        )
    return lambda start, stop: {name: array.read(start, stop) for name, array in arrays.items()}


def _open_labels(spec: Optional[Dict[str, Any]], count: int) -> Optional[ArrayFile]:
    if spec is None:
        return None
    labels = open_array("labels", spec)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise BadDataError(
            "the labels are {} of shape {}, not {} integers".format(labels.dtype, list(labels.shape), count),
            remedy="give one class number for each sample",
        )
    return labels
