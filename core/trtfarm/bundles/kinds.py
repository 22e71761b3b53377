"""The kinds of rows that a bundle carries, each after those that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trtfarm.blobs.naming import arrays_blobs
from trtfarm.bundles import forms
from trtfarm.bundles.forms import Form
from trtfarm.database.schema import (
    DatasetRow,
    EngineRow,
    ModelRow,
    QuantizationRow,
    RecordingRow,
    TableRow,
    VerificationRow,
)

#: A row as plain JSON values: its columns, and others that name it.
Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`unique` is the field that makes two rows the same on all farms; null stands for nothing there."""

    name: str
    word: str
    rows: Any
    form: Form
    unique: str
    #: Field -> the kind of the row that it names.
    names: Mapping[str, str] = field(default_factory=dict)
    #: Fields with digests of files that a bundle always has, and with arrays by name, whose `blob` is one.
    files: Sequence[str] = ()
    arrays: Sequence[str] = ()
    #: The version of the manifest from which on it can be there.
    since: int = 1
    #: What a row is made of that a record has not, or has in another form.
    columns_of: Callable[[Record], Mapping[str, Any]] = lambda _record: {}
    #: What a record has that is no column of the row.
    besides: Sequence[str] = ()

    def files_named(self, value: Callable[[str], Any]) -> list[str]:
        """Digests of the files that a bundle always has of a row; `value` gives what a field holds."""
        single = [value(name) for name in self.files if value(name) is not None]
        return [*single, *(digest for name in self.arrays for digest in arrays_blobs(value(name)))]

    def values(self, record: Record) -> dict[str, Any]:
        """The columns of the row but for those that only the farm knows that takes it in."""
        plain = {name: value for name, value in record.items() if name not in {*self.besides, "created"}}
        return {**plain, **self.columns_of(record)}


def _inputs_by_name(record: Record) -> Mapping[str, Any]:
    return {"inputs": {array["name"]: _without_name(array) for array in record["inputs"]}}


def _without_name(array: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in array.items() if name != "name"}


_MODEL = {"model_id": "models"}
KINDS = (
    Kind(name="models", word="model", rows=ModelRow, form=forms.MODEL, unique="digest", besides=("names",)),
    Kind(
        name="datasets",
        word="data set",
        rows=DatasetRow,
        form=forms.DATASET,
        unique="digest",
        columns_of=_inputs_by_name,
    ),
    Kind(
        name="tables",
        word="table",
        rows=TableRow,
        form=forms.TABLE,
        unique="key",
        names={**_MODEL, "dataset_id": "datasets"},
        files=("blob",),
    ),
    Kind(
        name="quantizations",
        word="quantised model",
        rows=QuantizationRow,
        form=forms.QUANTIZATION,
        unique="key",
        names={**_MODEL, "table_id": "tables"},
        files=("blob",),
    ),
    Kind(
        name="engines",
        word="engine",
        rows=EngineRow,
        form=forms.ENGINE,
        unique="key",
        names={**_MODEL, "quantization_id": "quantizations", "table_id": "tables"},
        files=("blob", "log_blob"),
        besides=("labels",),
    ),
    Kind(
        name="verifications",
        word="verification",
        rows=VerificationRow,
        form=forms.VERIFICATION,
        unique="key",
        names={
            **_MODEL,
            "quantization_id": "quantizations",
            "engine_id": "engines",
            "dataset_id": "datasets",
        },
    ),
    Kind(
        name="recordings",
        word="recording",
        rows=RecordingRow,
        form=forms.RECORDING,
        unique="key",
        names={**_MODEL, "dataset_id": "datasets"},
        arrays=("outputs",),
        since=2,
    ),
)
