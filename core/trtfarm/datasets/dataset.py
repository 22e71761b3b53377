"""A data set that is ready for use: plain arrays in files, checked and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtfarm.digests import digest_of_json


@dataclass(frozen=True, kw_only=True)
class Array:
    """A `.npy` file in canonical form (C order, little-endian, samples first); `digest` is that of the file's bytes.

    `constant` is the value that all elements have; None where they differ, where there is one, or nobody looked.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    digest: str
    constant: float | None = None

    @property
    def samples(self) -> int:
        return self.shape[0]

    def as_spec(self) -> dict[str, Any]:
        """The form in which builder children get it."""
        return {"path": str(self.path.absolute()), "dtype": self.dtype, "shape": list(self.shape)}


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One array for each of the model's inputs, in its order, and perhaps labels (int64, one for each sample).

    `source` says in words where it came from, `preprocessing` what was done to each input (nothing where it has no
    entry), `notices` what the user should know.
    """

    inputs: Mapping[str, Array]
    labels: Array | None
    preprocessing: Mapping[str, Mapping[str, Any]]
    source: str
    notices: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        return next(iter(self.inputs.values())).samples

    @property
    def digest(self) -> str:
        """Covers the prepared values, their order and types, the labels, and the preprocessing; not names of files."""
        inputs = {name: array.digest for name, array in self.inputs.items()}
        return digest_of_data(inputs, self.labels.digest if self.labels else None, self.preprocessing)

    def input_specs(self) -> dict[str, dict[str, Any]]:
        return {name: array.as_spec() for name, array in self.inputs.items()}


def digest_of_data(inputs: Mapping[str, str], labels: str | None, steps: Mapping[str, Mapping[str, Any]]) -> str:
    """The digest of the data set whose arrays have these digests; `steps` are the inputs' preprocessing."""
    return digest_of_json(
        {
            "inputs": dict(inputs),
            "labels": labels,
            "preprocessing": {name: dict(of_input) for name, of_input in steps.items()},
        }
    )
