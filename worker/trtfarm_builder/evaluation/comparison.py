"""All measures of one evaluation: each output's agreement, and the accuracy of the classifier's scores."""

from typing import Any, Dict, Optional, Sequence

import numpy as np

from trtfarm_builder.evaluation.classification import TopAccuracy
from trtfarm_builder.evaluation.metrics import Agreement, Array, FloatAgreement, IntegerAgreement
from trtfarm_builder.failures import BadDataError, BadModelError, BadRequestError

#: Raised when the same outputs and labels give other measures, so that farms measure again.
REVISION = 1
_LEAST_CLASSES = 2

#: Outputs by name.
Arrays = Dict[str, Array]


class Comparison:
    """Takes the outputs of reference and candidate batch by batch.

    `classifier` names the output of scores; where it is None and labels come, the first floating-point output of shape
    (samples, classes) is it, axes of size 1 behind them allowed.
    """

    def __init__(self, floating: Sequence[str], integer: Sequence[str], classifier: Optional[str]) -> None:
        self._agreements: Dict[str, Agreement] = {name: FloatAgreement() for name in floating}
        self._agreements.update((name, IntegerAgreement()) for name in integer)
        self._floating = floating
        self._classifier = classifier
        self._tops = {"reference": TopAccuracy(), "candidate": TopAccuracy()}

    def add(self, reference: Arrays, candidate: Arrays, samples: int, labels: Optional[Array]) -> None:
        """Adds the outputs for `samples` samples, and their labels where there are any."""
        for name, agreement in self._agreements.items():
            agreement.add(*(_rows(array, samples) for array in _pair(name, reference, candidate)))
        if labels is None:
            return
        if self._classifier is None:
            self._classifier = find_classifier(reference, self._floating, samples)
        for who, outputs in (("reference", reference), ("candidate", candidate)):
            self._tops[who].add(_scores(self._classifier, outputs[self._classifier], samples), labels)

    def outputs(self) -> Dict[str, Dict[str, Any]]:
        """{output: its measures}."""
        return {name: agreement.result() for name, agreement in self._agreements.items()}

    def classification(self) -> Dict[str, Any]:
        """The accuracy on the labels that were given."""
        return {"output": self._classifier, **{who: top.result() for who, top in self._tops.items()}}


def find_classifier(outputs: Arrays, floating: Sequence[str], samples: int) -> str:
    """The first of the floating-point outputs that holds scores. Raises BadDataError where none does."""
    for name in floating:
        if _is_scores(outputs[name], samples):
            return name
    shapes = {name: list(outputs[name].shape) for name in floating}
    raise BadDataError(
        "there are labels, but no output of the model is (samples, classes)",
        cause="its floating-point outputs for {} samples are {}".format(samples, shapes),
        remedy="leave the labels out; outputs are then compared by cosine and error",
    )


def check_classifier(name: str, floating: Sequence[str]) -> None:
    """Raises BadRequestError where the model has no floating-point output of that name."""
    if name not in floating:
        raise BadRequestError(
            "the model has no output {!r} of scores".format(name), remedy="use one of: " + ", ".join(floating)
        )


def _pair(name: str, reference: Arrays, candidate: Arrays) -> Sequence[Array]:
    pair = reference[name], candidate[name]
    if pair[0].shape != pair[1].shape:
        raise BadModelError(
            "output {!r} is of shape {} in one model and {} in the other".format(name, *(a.shape for a in pair)),
            cause="the two are not forms of the same model",
        )
    return pair


def _rows(array: Array, samples: int) -> Array:
    """One row for each sample; an output that is not counted by samples is a single row."""
    return array.reshape(samples if array.shape[:1] == (samples,) else 1, -1)


def _is_scores(array: Array, samples: int) -> bool:
    shape = array.shape
    return len(shape) > 1 and shape[0] == samples and shape[1] >= _LEAST_CLASSES and np.prod(shape[2:], dtype=int) == 1


def _scores(name: str, array: Array, samples: int) -> Array:
    if not _is_scores(array, samples):
        raise BadRequestError("output {!r} is {}, not (samples, classes)".format(name, list(array.shape)))
    return array.reshape(samples, -1)
