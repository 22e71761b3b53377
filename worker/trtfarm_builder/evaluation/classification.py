"""Top-1 and Top-5 of a classifier's scores, added up batch by batch."""

from typing import Any, Dict

import numpy as np
import numpy.typing as npt

from trtfarm_builder.failures import BadDataError

_TOP = 5

Array = npt.NDArray[Any]


class TopAccuracy:
    """Share of samples whose label is among the highest scores."""

    def __init__(self) -> None:
        self._samples = 0
        self._classes = 0
        self._first = 0
        self._among_five = 0

    def add(self, scores: Array, labels: Array) -> None:
        """Scores of shape (samples, classes), floating-point; labels of shape (samples,), integers from 0.

        Raises BadDataError on a label beyond the classes.
        """
        classes = scores.shape[1]
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise BadDataError(
                "the labels go from {} to {}, and the model knows {} classes".format(
                    labels.min(), labels.max(), classes
                ),
                remedy="number the classes from 0, in the order of the model's output",
            )
        ranks = _ranks(scores, labels)
        self._classes = classes
        self._samples += len(labels)
        self._first += int(np.count_nonzero(ranks == 0))
        self._among_five += int(np.count_nonzero(ranks < _TOP))

    def result(self) -> Dict[str, Any]:
        """top1 and top5, from 0 to 1; top5 is None where there are no more than five classes."""
        return {
            "top1": self._first / self._samples,
            "top5": self._among_five / self._samples if self._classes > _TOP else None,
        }


def _ranks(scores: Array, labels: Array) -> npt.NDArray[np.intp]:
    """How many classes come before each label's: those with higher scores and, as with argmax, equal ones before it.

    A sample with a NaN among its scores has no ranking: its label comes last.
    """
    own = np.take_along_axis(scores, labels[:, None].astype(np.intp), axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    before = (scores > own) | ((scores == own) & earlier)
    ranks: npt.NDArray[np.intp] = np.where(np.isnan(scores).any(axis=1), scores.shape[1], before.sum(axis=1))
    return ranks
