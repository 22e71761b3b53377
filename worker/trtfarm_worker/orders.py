"""From files on this machine to a submission: what a user names, read, checked, stored and put into a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.catalog.lookup import find_one
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.schema import TableRow
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.fit import check_profile
from trtfarm.datasets.held_out import held_out
from trtfarm.datasets.locate import locate
from trtfarm.datasets.sources import Source
from trtfarm.errors import DataError, NotFoundError, UsageError
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model, add_table, dataset_stored, model_stored
from trtfarm.models.model import Model
from trtfarm.models.shapes import OptimizationProfile, profile_of
from trtfarm.planning import PRECISIONS, SubmissionRequest
from trtfarm.recognition import recognised
from trtfarm.regular_files import is_file
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.data_reader import DataReader, Tell
from trtfarm_worker.toolchains.choice import choose, stands_in
from trtfarm_worker.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable
    from trtfarm_worker.builder.supervisor import Listener

#: Operators that are matrix products, or are made of them. What else is may be in a model's own functions, of which the
#: builder then says that it cannot compile them.
_PRODUCTS = frozenset({"MatMul", "Gemm", "Einsum", "RNN", "GRU", "LSTM", "Attention"})
#: Stands for the id of a row that is made only when all of a request was found fit.
_LATER = ""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a user asked for, in the user's words: paths, names, and None where nothing was said."""

    model: Path
    data: Sequence[str] = ()
    test_data: Sequence[str] = ()
    labels: str | None = None
    table: str | None = None
    calibrator: Calibrator | None = None
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
    float32_nodes: Sequence[str] = ()
    float32_op_types: Sequence[str] = ()
    build_options: Mapping[str, Any] = field(default_factory=dict)

    def quantizer_options(self) -> dict[str, list[str]]:
        return {"exclude_nodes": list(self.exclude_nodes), "exclude_op_types": list(self.exclude_op_types)}

    def converter_options(self) -> dict[str, list[str]]:
        return {"exclude_nodes": list(self.float32_nodes), "exclude_op_types": list(self.float32_op_types)}


def take(
    farm: Farm, order: Order, toolchains: Sequence[Toolchain], *, tell: Tell, listener: Listener
) -> SubmissionRequest:
    """Reads and checks all that an order names, stores it, and returns the request.

    `tell` hears what was decided, `listener` the builders that look into a new model and decode images. Nothing is
    stored before everything has been found fit. Raises ModelError, DataError, TableError, UsageError, ToolchainError.
    """
    _check_options(order)
    model = Model.read(order.model)
    targets, in_float16 = _targets(farm, order, toolchains, model, tell)
    with farm.scratch("order") as folder:
        copy = () if model_stored(farm, model) else _inspected_copy(farm, model, folder, listener)
        recognise = partial(recognised, farm)
        reader = DataReader(farm.settings, model, folder, tell=tell, listener=listener, recognise=recognise)
        goods = _goods(farm, order, reader)
        request = SubmissionRequest(
            model_id=_LATER,
            precision=order.precision,
            targets=targets,
            rule=goods.rule,
            dataset_id=_LATER if goods.data else None,
            table_id=_LATER if goods.table else None,
            test_dataset_id=_LATER if goods.test else None,
            max_drop=order.max_drop,
            rest_in_float16=in_float16,
            profiles=_profile(order, model, [found for found in (goods.data, goods.test) if found]).as_dict(),
            quantizer_options=order.quantizer_options(),
            converter_options=order.converter_options(),
            build_options=order.build_options,
        )
        return _stored(farm, request, model, copy, goods)


def _inspected_copy(farm: Farm, model: Model, folder: Path, listener: Listener) -> Sequence[Path]:
    from trtfarm_worker.inspection import inspected_copy  # noqa: PLC0415 - builders, which a known model does not need

    return inspected_copy(farm.settings, model, folder, listener)


@dataclass(frozen=True, kw_only=True)
class _Goods:
    """What an order names beside its model, read and found fit; `table` is an id for a table of the farm."""

    data: DataSet | None = None
    rule: CalibrationRule | None = None
    table: CalibrationTable | str | None = None
    test: DataSet | None = None


def _goods(farm: Farm, order: Order, reader: DataReader) -> _Goods:
    precision = PRECISIONS[order.precision]
    if not (precision.quantized or precision.float16):
        return _Goods()
    table = _table(farm, order, reader.model)
    source = _calibration_source(order, reader.model)
    if not precision.quantized:
        return _Goods(test=_test_data(farm, order, reader, source, None))
    if table is not None or source is None:
        if order.data:
            reader.tell_all(["the ranges are those of the table: the calibration data is not read"])
        return _Goods(table=table, test=_test_data(farm, order, reader, source, None))
    data = reader.read(source)
    rule = CalibrationRule.of(
        order.calibrator or Calibrator.MINMAX,
        batch_size=reader.batch_size(order.batch_size, data),
        quantile=order.quantile,
        cutoff=order.cutoff,
    )
    return _Goods(data=data, rule=rule, test=_test_data(farm, order, reader, source, data))


def _stored(
    farm: Farm, request: SubmissionRequest, model: Model, copy: Sequence[Path], goods: _Goods
) -> SubmissionRequest:
    """The request with the ids of its rows."""
    model_id = add_model(farm, model, copy)
    return replace(
        request,
        model_id=model_id,
        dataset_id=add_dataset(farm, goods.data) if goods.data else None,
        table_id=goods.table if isinstance(goods.table, str | None) else add_table(farm, goods.table, model_id),
        test_dataset_id=add_dataset(farm, goods.test) if goods.test else None,
    )


def _check_options(order: Order) -> None:
    """Raises UsageError for options that nothing would be done with: whoever gives one expects otherwise."""
    calibration = {"--batch-size": order.batch_size, "--quantile": order.quantile, "--cutoff": order.cutoff}
    precision = PRECISIONS[order.precision]
    if not precision.float16:
        kept = {"--keep-fp32": order.float32_nodes, "--keep-fp32-op": order.float32_op_types}
        _refuse(kept, f"{order.precision} has no float16")
    if not precision.quantized:
        int8 = {"--calibrator": order.calibrator, "--data": order.data, "--table": order.table}
        verification = {"--test-data": order.test_data, "--labels": order.labels, "--max-drop": order.max_drop}
        exclusions = {"--exclude": order.exclude_nodes, "--exclude-op": order.exclude_op_types}
        _refuse({**int8, **calibration, **exclusions}, f"{order.precision} is not quantised")
        if not precision.float16:
            _refuse(verification, f"{order.precision} is not measured")
    elif order.table:
        _refuse(calibration, "with --table nothing is calibrated")
    else:
        rule = order.calibrator or Calibrator.MINMAX
        CalibrationRule.of(rule, batch_size=order.batch_size or 1, quantile=order.quantile, cutoff=order.cutoff)


def _refuse(options: Mapping[str, object], why: str) -> None:
    given = [name for name, value in options.items() if value not in (None, (), [])]
    if given:
        raise UsageError(f"{', '.join(given)} cannot be used here", cause=why, remedy="leave it out")


def _calibration_source(order: Order, model: Model) -> Source | None:
    """Where the calibration data is; where it is not needed it is only a place to look for test data beside it."""
    try:
        return locate(order.data, model)
    except DataError:
        if not order.data and (order.table or not PRECISIONS[order.precision].quantized):
            return None
        raise


def _test_data(
    farm: Farm, order: Order, reader: DataReader, source: Source | None, data: DataSet | None
) -> DataSet | None:
    found = held_out(source, reader.model, test_data=order.test_data, labels=order.labels)
    if found is None:
        reader.tell_all(["no verification: no data beside the calibration data (test/) and none named (--test-data)"])
        return None
    test = reader.read(found, labels=True)
    if data is not None and not (dataset_stored(farm, data) and dataset_stored(farm, test)):
        from trtfarm.datasets.overlap import check_held_out  # noqa: PLC0415 - NumPy, which known data does not need

        reader.tell_all(check_held_out(data, test))
    return test


def _profile(order: Order, model: Model, data_sets: Sequence[DataSet]) -> OptimizationProfile:
    shapes = {name: array.shape for data in data_sets for name, array in data.inputs.items()}
    profile = profile_of(model.summary.inputs, order.shapes, shapes)
    for data in data_sets:
        check_profile(data, profile)
    return profile


def _targets(
    farm: Farm, order: Order, toolchains: Sequence[Toolchain], model: Model, tell: Tell
) -> tuple[tuple[BuildTarget, ...], tuple[str, ...]]:
    """The best toolchain of this host for each target, and the targets where what stays beside INT8 is float16.

    A target asked for twice is built once.
    """
    products = any(operator.name in _PRODUCTS for operator in model.summary.operators)
    targets, in_float16 = [], []
    for wanted in dict.fromkeys(order.targets or farm.settings.targets):
        best = choose(toolchains, target=wanted, precision=order.precision, version=order.tensorrt, products=products)
        target = BuildTarget(compute_capability=str(wanted), toolchain=best.kind.value, tensorrt=best.version)
        targets.append(target)
        if reason := stands_in(best, wanted, order.precision, products=products):
            in_float16.append(str(target))
            tell(f"{wanted}: what stays beside INT8 is float16 there, for {best.name} says: {reason}")
    return tuple(targets), tuple(in_float16)


def _table(farm: Farm, order: Order, model: Model) -> CalibrationTable | str | None:
    """The table that the order names: one of a file, or the id of one of the farm. It must fit model and calibrator."""
    if not order.table:
        return None
    from trtfarm.tables.reading import bytes_of_file  # noqa: PLC0415 - most orders name no table
    from trtfarm.tables.validation import load  # noqa: PLC0415

    if is_file(order.table):
        data = bytes_of_file(Path(order.table))
        return load(data, name=order.table, expected=order.calibrator, tensors=model.summary.tensors)
    if "/" in order.table:
        raise NotFoundError(f"there is no file {order.table}", remedy="name a table's file, or its id in the farm")
    with farm.database.read() as session:
        row = find_one(session, TableRow, order.table)
    load(farm.blobs.read(row.blob), name=row.id, expected=order.calibrator, tensors=model.summary.tensors)
    return row.id
