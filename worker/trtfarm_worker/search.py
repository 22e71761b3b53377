"""The search for nodes to leave in floating point, without a farm: found on some data, verified on other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm.accuracy import BATCH_SIZE, check_gate, measure
from trtfarm.datasets.held_out import held_out
from trtfarm.datasets.locate import locate
from trtfarm.errors import UsageError
from trtfarm.scratch import temporary_folder
from trtfarm_worker.data_reader import DataReader, Tell
from trtfarm_worker.direct import reference_step

if TYPE_CHECKING:
    from trtfarm.datasets.dataset import DataSet
    from trtfarm.datasets.sources import Source
    from trtfarm.models.model import Model
    from trtfarm.settings import Settings
    from trtfarm_worker.builder.request import BuilderAnswer
    from trtfarm_worker.builder.supervisor import Listener


@dataclass(frozen=True, kw_only=True)
class Aim:
    """How much may be lost, 0.01 being one percent, the data to search on, and other data to verify on."""

    max_drop: float
    data: Source
    test: Source

    @classmethod
    def found(
        cls, model: Model, max_drop: float, data: Sequence[str], test_data: Sequence[str], labels: str | None
    ) -> Aim:
        """With the data that a user names. Raises DataError, UsageError."""
        source = locate(data, model)
        held = held_out(source, model, test_data=test_data, labels=labels)
        if held is None:
            raise UsageError(
                "a search needs data to verify on that it did not see",
                remedy="name it with --test-data, or put it into a folder test/ beside the calibration data",
            )
        return cls(max_drop=max_drop, data=source, test=held)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of what is read."""
        return (*self.data.paths, *self.test.paths)


@dataclass(frozen=True, kw_only=True)
class Searched:
    """The builder's answer, and how its model compares with FP32 on data that the search did not see."""

    answer: BuilderAnswer
    verification: Mapping[str, Any]


@contextmanager
def searched(
    settings: Settings, model: Model, request: Mapping[str, Any], aim: Aim, *, tell: Tell, listener: Listener
) -> Iterator[Searched]:
    """Quantises but for the nodes that `aim` needs; the files of the answer are there until the block ends.

    `request` is what the step `quantize` takes, the model being a copy of `model` that files may be laid beside. Raises
    DataError, UsageError, and GateError where the aim is missed on either data.
    """
    with temporary_folder() as folder:
        data, test = _data(DataReader(settings, model, folder, tell=tell, listener=listener), aim)
        args = {
            **request,
            "inputs": data.input_specs(),
            "batch_size": min(BATCH_SIZE, data.samples),
            "allowed": aim.max_drop,
            "measure": measure(labelled=test.labels is not None),
        }
        with reference_step(settings, "search", args, listener) as answer:
            # Beside the model, where its weights may lie.
            candidate = Path(shutil.copy(answer.file("model"), Path(request["model"]).with_name("searched.onnx")))
            verification = _verification(settings, request["model"], candidate, test, listener)
            check_gate(verification, aim.max_drop)
            yield Searched(answer=answer, verification=verification)


def _data(reader: DataReader, aim: Aim) -> tuple[DataSet, DataSet]:
    from trtfarm.datasets.overlap import check_held_out  # noqa: PLC0415 - NumPy, which a wrong option does not need

    data, test = reader.read(aim.data), reader.read(aim.test, labels=True)
    reader.tell_all(check_held_out(data, test))
    return data, test


def _verification(
    settings: Settings, reference: str, candidate: Path, test: DataSet, listener: Listener
) -> Mapping[str, Any]:
    args = {
        "reference": reference,
        "candidate": str(candidate),
        "inputs": test.input_specs(),
        "labels": test.labels.as_spec() if test.labels else None,
        "batch_size": min(BATCH_SIZE, test.samples),
    }
    with reference_step(settings, "evaluate", args, listener) as answer:
        return answer.result
