"""The parameters by which tables and engines are searched."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from trtfarm.catalog.filters import Filter
from trtfarm_api.accuracies import ByAccuracy
from trtfarm_api.pages import Text


def _of_tables(
    *,
    tensorrt: Text = None,
    target: Text = None,
    calibrator: Text = None,
    model: Text = None,
    digest: Text = None,
    accuracy: ByAccuracy,
) -> Filter:
    return Filter(
        tensorrt=tensorrt,
        compute_capability=target,
        calibrator=calibrator,
        model=model,
        digest=digest,
        accuracy=accuracy,
    )


TableFilter = Annotated[Filter, Depends(_of_tables)]


def _of_engines(*, wanted: TableFilter, precision: Text = None, label: Text = None, gpu: Text = None) -> Filter:
    return replace(wanted, precision=precision, label=label, gpu=gpu)


EngineFilter = Annotated[Filter, Depends(_of_engines)]
