"""The step `evaluate`: FP32 against its quantised form on held-out samples, INT8 simulated on the CPU."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import numpy as np

from trtfarm_builder.arrays import ArrayFile, open_array
from trtfarm_builder.channel import Channel
from trtfarm_builder.evaluation.comparison import REVISION, Comparison, check_classifier
from trtfarm_builder.evaluation.outputs import Model
from trtfarm_builder.failures import BadDataError, BadModelError
from trtfarm_builder.reference.samples import Samples, open_samples


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: reference and candidate (paths of models), inputs {name: array spec}, batch_size, and where there are
    labels, labels (array spec of N integers) and perhaps output (the name of the classifier's scores).

    Returns revision, samples, simulated (true: no GPU computed this), outputs {name: measures}, skipped_outputs (names
    of those that cannot be compared) and classification: None without labels, else output, and {top1, top5} of
    reference and candidate. `metrics` and `classification` define the measures. Memory does not grow with the number of
    samples. Raises BadModelError, BadDataError, BadRequestError.
    """
    reference, candidate = Model.read(Path(args["reference"])), Model.read(Path(args["candidate"]))
    _check_alike(reference, candidate)
    samples = open_samples(reference.inputs, args["inputs"])
    labels = _open_labels(args.get("labels"), samples)
    classifier = args.get("output")
    if classifier is not None:
        check_classifier(classifier, reference.floating)
    comparison = Comparison(reference.floating, reference.integer, classifier)
    names = (*reference.floating, *reference.integer)
    size = reference.fixed_batch or args["batch_size"]
    for start in range(0, samples.count, size):
        stop = min(start + size, samples.count)
        feeds = samples.read(start, stop)
        truth = None if labels is None else labels.read(start, stop)
        comparison.add(reference.run(feeds, names), candidate.run(feeds, names), stop - start, truth)
        channel.progress("evaluate", stop, samples.count, "samples")
    return {
        "revision": REVISION,
        "samples": samples.count,
        "simulated": True,
        "outputs": comparison.outputs(),
        "skipped_outputs": list(reference.other),
        "classification": None if labels is None else comparison.classification(),
    }


def _check_alike(reference: Model, candidate: Model) -> None:
    """Raises BadModelError where the two models cannot be fed and compared alike."""
    if reference.inputs != candidate.inputs or reference.outputs != candidate.outputs:
        raise BadModelError(
            "the two models differ in their inputs or outputs, so they cannot be compared",
            cause="{} and {} against {} and {}".format(
                _shown(reference), list(reference.outputs), _shown(candidate), list(candidate.outputs)
            ),
            remedy="compare a model with what was made of it",
        )


def _shown(model: Model) -> str:
    return ", ".join("{} {}".format(item.name, list(item.shape)) for item in model.inputs)


def _open_labels(spec: Optional[Mapping[str, Any]], samples: Samples) -> Optional[ArrayFile]:
    """The labels, one integer for each sample. Raises BadDataError."""
    if samples.count == 0:
        raise BadDataError("there are no samples to evaluate on")
    if spec is None:
        return None
    labels = open_array("labels", dict(spec))
    if labels.shape != (samples.count,) or not np.issubdtype(labels.dtype, np.integer):
        raise BadDataError(
            "the labels are {} of shape {}, not {} integers".format(labels.dtype, list(labels.shape), samples.count),
            remedy="give one class number for each sample",
        )
    return labels
