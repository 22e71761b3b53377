"""From files on this machine to a submission: what a user names, read, checked, stored and put into a request."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.catalog.lookup import find_one
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.schema import TableRow
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.fit import check_batches, check_held_out, check_profile
from trtfarm.datasets.held_out import held_out
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.sources import Source
from trtfarm.errors import DataError
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model, add_table, dataset_stored
from trtfarm.models.model import Model
from trtfarm.models.shapes import OptimizationProfile, profile_of
from trtfarm.planning import BuildTarget, SubmissionRequest
from trtfarm.settings import Settings
from trtfarm.tables.validation import load
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.builder.supervisor import Listener
from trtfarm_worker.decoding import image_decoder
from trtfarm_worker.toolchains.choice import choose
from trtfarm_worker.toolchains.toolchain import Toolchain

#: Samples in a batch when nobody says: TensorRT's samples use 50.
DEFAULT_BATCH_SIZE = 50

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a user asked for, in the user's words: paths, names, and None where nothing was said."""

    model: Path
    data: Sequence[str] = ()
    test_data: Sequence[str] = ()
    labels: str | None = None
    table: str | None = None
    calibrator: Calibrator = Calibrator.MINMAX
    batch_size: int | None = None
    quantile: float | None = None
    cutoff: float | None = None
    precision: str = "int8"
    targets: Sequence[ComputeCapability] = ()
    tensorrt: TensorRTVersion | None = None
    shapes: Sequence[str] = ()
    max_drop: float | None = None
    exclude_nodes: Sequence[str] = ()
    exclude_op_types: Sequence[str] = ()
    build_options: Mapping[str, Any] = field(default_factory=dict)

    def quantizer_options(self) -> dict[str, list[str]]:
        return {"exclude_nodes": list(self.exclude_nodes), "exclude_op_types": list(self.exclude_op_types)}


def take(
    farm: Farm, order: Order, toolchains: Sequence[Toolchain], *, tell: Tell, listener: Listener
) -> SubmissionRequest:
    """Reads and checks all that an order names, stores it, and returns the request.

    `tell` hears what was decided, `listener` the builder that decodes images. Nothing is stored before everything has
    been found fit. Raises ModelError, DataError, TableError, UsageError, ToolchainError.
    """
    targets = _targets(farm, order, toolchains)
    model = Model.read(order.model)
    with farm.scratch("data") as folder:
        reader = DataReader(farm.settings, model, folder, tell=tell, listener=listener)
        data = test = rule = table = None
        if order.precision == "int8":
            source = _calibration_source(order, model)
            if source and not order.table:
                data = reader.read(source)
                rule = _rule(order, model, data, tell)
            elif order.table and Path(order.table).is_file():
                table = load(Path(order.table).read_bytes(), name=order.table, tensors=model.summary.tensors)
            test = _test_data(farm, order, reader, source, data)
        profile = _profile(order, model, [found for found in (data, test) if found])
        model_id = add_model(farm, model)
        return SubmissionRequest(
            model_id=model_id,
            precision=order.precision,
            targets=targets,
            rule=rule,
            dataset_id=add_dataset(farm, data) if data else None,
            table_id=add_table(farm, table, model_id) if table else _stored_table(farm, order, model),
            test_dataset_id=add_dataset(farm, test) if test else None,
            max_drop=order.max_drop,
            profiles=profile.as_dict(),
            quantizer_options=order.quantizer_options(),
            build_options=order.build_options,
        )


class DataReader:
    """Prepares data sets for one model in a folder that the caller removes."""

    def __init__(self, settings: Settings, model: Model, folder: Path, *, tell: Tell, listener: Listener) -> None:
        self.model = model
        self._folder = folder
        self._tell = tell
        self._decode = image_decoder(settings, folder, listener)

    def read(self, source: Source, *, labels: bool = False) -> DataSet:
        """The data set of a source, checked; says what was taken."""
        into = Path(tempfile.mkdtemp(dir=self._folder))
        data = prepare(source, self.model.summary.inputs, into, decode_images=self._decode, labels=labels, copy=False)
        purpose = "verification" if labels else "calibration"
        labelled = ", labelled" if data.labels else ""
        self._tell(f"{purpose} data: {data.samples} samples{labelled} from {data.source}")
        for notice in data.notices:
            self._tell(notice)
        return data

    def tell_all(self, notices: Sequence[str]) -> None:
        for notice in notices:
            self._tell(notice)


def batch_size_for(wanted: int | None, model: Model, data: DataSet, tell: Tell) -> int:
    """Samples in a calibration batch: what was asked for, else the model's own where it is fixed, else 50 or less.

    Raises UsageError for a size that the model does not take, DataError for fewer samples than one batch.
    """
    fixed = next((t.dims[0] for t in model.summary.inputs if t.dims and isinstance(t.dims[0], int)), None)
    batch_size = wanted or fixed or min(DEFAULT_BATCH_SIZE, data.samples)
    for notice in check_batches(data, model.summary.inputs, batch_size):
        tell(notice)
    return batch_size


def _rule(order: Order, model: Model, data: DataSet, tell: Tell) -> CalibrationRule:
    return CalibrationRule.of(
        order.calibrator,
        batch_size=batch_size_for(order.batch_size, model, data, tell),
        quantile=order.quantile,
        cutoff=order.cutoff,
    )


def _calibration_source(order: Order, model: Model) -> Source | None:
    """Where the calibration data is; with a table at hand it is only a place to look for test data beside it."""
    try:
        return locate(order.data, model)
    except DataError:
        if order.table and not order.data:
            return None
        raise


def _test_data(
    farm: Farm, order: Order, reader: DataReader, source: Source | None, data: DataSet | None
) -> DataSet | None:
    if source is None:
        found = locate(order.test_data, reader.model) if order.test_data else None
    else:
        found = held_out(source, reader.model, test_data=order.test_data, labels=order.labels)
    if found is None:
        reader.tell_all(["no verification: no data beside the calibration data (test/) and none named (--test-data)"])
        return None
    test = reader.read(found, labels=True)
    if data is not None and not (dataset_stored(farm, data) and dataset_stored(farm, test)):
        reader.tell_all(check_held_out(data, test))
    return test


def _profile(order: Order, model: Model, data_sets: Sequence[DataSet]) -> OptimizationProfile:
    shapes = {name: array.shape for data in data_sets for name, array in data.inputs.items()}
    profile = profile_of(model.summary.inputs, order.shapes, shapes)
    for data in data_sets:
        check_profile(data, profile)
    return profile


def _targets(farm: Farm, order: Order, toolchains: Sequence[Toolchain]) -> tuple[BuildTarget, ...]:
    """The best toolchain of this host for each target; a target asked for twice is built once."""
    wanted = dict.fromkeys(order.targets or farm.settings.targets)
    chosen = [
        (target, choose(toolchains, target=target, precision=order.precision, version=order.tensorrt))
        for target in wanted
    ]
    return tuple(
        BuildTarget(compute_capability=str(target), toolchain=toolchain.kind.value, tensorrt=toolchain.version)
        for target, toolchain in chosen
    )


def _stored_table(farm: Farm, order: Order, model: Model) -> str | None:
    """The id of a table of the farm that the order names; its tensors must be this model's."""
    if not order.table or Path(order.table).is_file():
        return None
    with farm.database.read() as session:
        row = find_one(session, TableRow, order.table)
    load(farm.blobs.read(row.blob), name=row.id, tensors=model.summary.tensors)
    return row.id
