"""Data for an engine, as they are named on a command line."""

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
    from trtfarm_cli.farms.engines import Comparison
    from trtfarm_worker.builder.supervisor import Listener
    from trtfarm_worker.engines.inputs import EngineDataReader
    from trtfarm_worker.engines.profiles import EngineProfiles


def data_reader(settings: Settings, profiles: EngineProfiles, folder: Path, hear: Listener) -> EngineDataReader:
    """Tells the user what there is to say of the data that it reads."""
    from trtfarm_worker.engines.inputs import EngineDataReader

    return EngineDataReader(settings=settings, profiles=profiles, folder=folder, tell=output.say, listener=hear)


def compared_data(
    settings: Settings,
    profiles: EngineProfiles,
    inputs: Sequence[Mapping[str, Any]],
    comparison: Comparison,
    folder: Path,
    *,
    shown: View,
) -> DataSet:
    """The data that a comparison names, fit for the engine; `inputs` are its model's, as the farm tells them."""
    from trtfarm.datasets.content import array_file
    from trtfarm.datasets.named import named
    from trtfarm.models.summary import TensorType

    types = [TensorType.of(facts) for facts in inputs]
    source = named(comparison.data, types)
    if comparison.labels:
        source = replace(source, labels=array_file(Path(comparison.labels)))
    return data_reader(settings, profiles, folder, listener(shown, "data")).read(source, types, labels=True)
