"""Tries choices of quantised inputs on samples, and measures what each loses against FP32."""

import math
from pathlib import Path
from typing import AbstractSet, Any, Dict, Iterator, Mapping, Tuple

import numpy as np

from trtfarm_builder.evaluation.comparison import Arrays, Comparison, find_classifier
from trtfarm_builder.evaluation.metrics import Array
from trtfarm_builder.evaluation.outputs import Model
from trtfarm_builder.failures import BadDataError, BadModelError
from trtfarm_builder.quantization.graph import Edge
from trtfarm_builder.reference.samples import Samples, open_samples
from trtfarm_builder.sensitivity.loss import Loss, loss_from
from trtfarm_builder.sensitivity.switches import SwitchedModel

#: How often a sample of the data goes through all of it.
_PASSES = 8


class Trials:
    """One session of a model with switches, and its data.

    `by_class` measures by the highest score instead of by cosine. FP32's outputs are computed once for each set of
    samples and kept on disk, in the current folder.
    """

    def __init__(
        self, switched: SwitchedModel, folder: Path, inputs: Mapping[str, Any], *, batch_size: int, by_class: bool
    ) -> None:
        """Raises BadModelError where no output can be compared, BadDataError where the data do not fit the model."""
        self._switches = switched.switches
        self._model = Model(switched.content, folder)
        switches = set(switched.switches.values())
        given = [item for item in self._model.inputs if item.name not in switches]
        self._samples: Samples = open_samples(given, inputs)
        if self._samples.count == 0:
            raise BadDataError("there are no samples to search with")
        self._batch_size = self._model.fixed_batch or batch_size
        self._by_class = by_class
        self._kept: Dict[Tuple[int, ...], Path] = {}
        self._names = (*self._model.floating, *self._model.integer)
        if not self._names:
            raise BadModelError("no output of the model can be compared, so nothing tells what INT8 loses")

    def sample(self, count: int) -> Tuple[int, ...]:
        """Numbers of `count` samples, evenly spaced; of all where there are fewer.

        In an order of which the first ones, too, are from all over the data, which may be sorted.
        """
        count = min(count, self._samples.count)
        numbers = [position * self._samples.count // count for position in range(count)]
        return tuple(number for first in range(_PASSES) for number in numbers[first::_PASSES])

    def loss(self, on: AbstractSet[Edge], samples: Tuple[int, ...], allowed: float = math.inf) -> Loss:
        """What is lost on these samples where the inputs `on` are quantised and no others.

        On the first of them alone where these show, beyond doubt, that it is more than `allowed`.
        """
        *_, loss = self._growing(on, samples, allowed)
        return loss

    def _growing(self, on: AbstractSet[Edge], samples: Tuple[int, ...], allowed: float) -> Iterator[Loss]:
        """The loss on the samples so far, batch after batch."""
        comparison = Comparison(self._model.floating, self._model.integer, None)
        positions = self._positions(on)
        agreeing = done = 0
        for batch in self._batches(samples):
            feeds, count = self._feeds(batch), len(batch)
            reference = self._reference(batch, feeds)
            candidate = self._model.run(feeds, self._names, positions)
            comparison.add(reference, candidate, count, None)
            done += count
            if self._by_class:
                agreeing += self._agreeing(reference, candidate, count)
            loss = loss_from(comparison.outputs(), agreeing / done if self._by_class else None, done)
            yield loss
            if loss.beyond(allowed):
                return

    def _agreeing(self, reference: Arrays, candidate: Arrays, count: int) -> int:
        """How many samples have their highest score where FP32 has it; none of those with a NaN among the scores."""
        name = find_classifier(reference, self._model.floating, count)
        scores: Array = candidate[name].reshape(count, -1)
        same = scores.argmax(axis=1) == reference[name].reshape(count, -1).argmax(axis=1)
        return int(np.count_nonzero(same & ~np.isnan(scores).any(axis=1)))

    def _positions(self, on: AbstractSet[Edge]) -> Arrays:
        return {switch: np.array(edge in on) for edge, switch in self._switches.items()}

    def _batches(self, samples: Tuple[int, ...]) -> Iterator[Tuple[int, ...]]:
        for start in range(0, len(samples), self._batch_size):
            yield samples[start : start + self._batch_size]

    def _feeds(self, batch: Tuple[int, ...]) -> Arrays:
        read = [self._samples.read(number, number + 1) for number in batch]
        return {name: np.concatenate([feeds[name] for feeds in read]) for name in read[0]}

    def _reference(self, batch: Tuple[int, ...], feeds: Arrays) -> Arrays:
        """FP32's outputs; those of large models would not fit into memory for all samples."""
        path = self._kept.get(batch)
        if path is None:
            path = self._kept[batch] = Path("reference-{}.npz".format(len(self._kept)))
            outputs = self._model.run(feeds, self._names, self._positions(frozenset()))
            # By number: names of outputs may hold slashes.
            np.savez(str(path), *(outputs[name] for name in self._names))
        with np.load(str(path)) as kept:
            return {name: kept["arr_{}".format(number)] for number, name in enumerate(self._names)}
