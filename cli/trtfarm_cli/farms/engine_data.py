"""Data that an engine is held to FP32 on, as they are named on a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm_cli import output
from trtfarm_cli.progress import View, listener

if TYPE_CHECKING:
    from trtfarm.datasets.dataset import DataSet
    from trtfarm.settings import Settings
    from trtfarm_worker.engines.profiles import EngineProfiles


def data_for(
    settings: Settings,
    profiles: EngineProfiles,
    inputs: Sequence[Mapping[str, Any]],
    data: Sequence[str],
    labels: str | None,
    *,
    folder: Path,
    shown: View,
) -> DataSet:
    """The data that were named, fit for the engine; `inputs` are its model's, as the farm tells them."""
    from trtfarm.datasets.content import array_file
    from trtfarm.datasets.named import named
    from trtfarm.models.summary import TensorType
    from trtfarm_worker.engines.inputs import read_data

    types = [
        TensorType(name=facts["name"], dtype=facts["dtype"], dims=None if facts["dims"] is None else (*facts["dims"],))
        for facts in inputs
    ]
    source = named(data, types)
    if labels:
        source = replace(source, labels=array_file(Path(labels)))
    hear = listener(shown, "data")
    return read_data(settings, source, types, profiles, folder, labels=True, tell=output.say, listener=hear)
