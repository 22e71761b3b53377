"""From files on this machine to a submission: what a user names, read, checked, stored and put into a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm.build_options import DYNAMIC_RANGES
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.candidates import candidate_rules
from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import TableRow
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.fit import check_profile
from trtfarm.datasets.held_out import held_out
from trtfarm.datasets.locate import locate
from trtfarm.datasets.sources import Source
from trtfarm.errors import DataError, NotFoundError, ToolchainError
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model, add_table, dataset_stored, known_as, model_stored
from trtfarm.models.model import Model
from trtfarm.models.named_nodes import check_named
from trtfarm.models.shapes import OptimizationProfile, profile_of
from trtfarm.origins import TableOrigin
from trtfarm.planning import SubmissionRequest
from trtfarm.precisions import PRECISIONS
from trtfarm.recognition import recognised
from trtfarm.regular_files import is_file
from trtfarm.submissions.reuse import described, reuse_of
from trtfarm.targets import BuildTarget
from trtfarm_worker.data_reader import DataReader, Tell
from trtfarm_worker.elsewhere import toolchains_elsewhere
from trtfarm_worker.order import Order, by_hand, check_for_targets, check_options, is_measured, takers
from trtfarm_worker.sites import CalibrateWith, calibration_site
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


def take(
    farm: Farm, order: Order, toolchains: Sequence[Toolchain], *, tell: Tell, listener: Listener
) -> SubmissionRequest:
    """Reads and checks all that an order names, stores it, and returns the request.

    `tell` hears what was decided, `listener` the builders that look into a new model and decode images. Nothing is
    stored before everything has been found fit. Raises ModelError, DataError, TableError, UsageError, ToolchainError.
    """
    check_options(order)
    model = Model.read(order.model)
    if (name := known_as(farm, model)) not in (None, model.name):
        tell(f"{order.model} is the model that the farm lists as {name}; it is found by both names")
    elsewhere = toolchains_elsewhere(farm.database)
    targets, in_float16 = _targets(farm, order, (toolchains, elsewhere), model, tell)
    check_for_targets(order, targets)
    check_named(model.summary, order.exclude_nodes, order.exclude_op_types)
    check_named(model.summary, order.float32_nodes, order.float32_op_types)
    with farm.scratch("order") as folder:
        copy = () if model_stored(farm, model) else _inspected_copy(farm, model, folder, listener)
        recognise = partial(recognised, farm)
        reader = DataReader(farm.settings, model, folder, tell=tell, listener=listener, recognise=recognise)
        goods = _goods(farm, order, reader, targets)
        request = SubmissionRequest(
            model_id=_LATER,
            precision=order.precision,
            targets=targets,
            rule=goods.rule,
            candidates=goods.candidates,
            dataset_id=_LATER if goods.data else None,
            table_id=_LATER if goods.table else None,
            test_dataset_id=_LATER if goods.test else None,
            max_drop=order.max_drop,
            calibrate_on=_site(order, goods, targets, [*toolchains, *elsewhere], tell),
            explicit=order.explicit or order.search,
            search=order.search,
            restamp=order.restamp,
            timing_cache=order.timing_cache,
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
    candidates: tuple[CalibrationRule, ...] = ()
    table: CalibrationTable | str | None = None
    test: DataSet | None = None


def _goods(farm: Farm, order: Order, reader: DataReader, targets: Sequence[BuildTarget]) -> _Goods:
    if not is_measured(order, targets):
        return _Goods()
    table = _table(farm, order, reader, targets)
    source = _calibration_source(order, reader.model)
    if not PRECISIONS[order.precision].quantized:
        return _Goods(test=_test_data(farm, order, reader, source, None))
    if table is None and by_hand(order, targets):
        reader.tell_all(["the ranges are those given by hand: nothing is calibrated"])
        return _Goods(test=_test_data(farm, order, reader, source, None))
    if order.search and table is not None and source is not None:
        data = reader.read(source)
        return _Goods(data=data, table=table, test=_test_data(farm, order, reader, source, data))
    if table is not None or source is None:
        if order.data:
            reader.tell_all(["the ranges are those of the table: the calibration data is not read"])
        return _Goods(table=table, test=_test_data(farm, order, reader, source, None))
    data = reader.read(source)
    return replace(_calibration(order, reader, data), test=_test_data(farm, order, reader, source, data))


def _calibration(order: Order, reader: DataReader, data: DataSet) -> _Goods:
    """The rule to calibrate by, or the ones to compare."""
    batch_size = reader.batch_size(order.batch_size, data)
    if order.compare:
        native = order.calibrate_with is CalibrateWith.TENSORRT
        rules = candidate_rules(batch_size=batch_size, quantile=order.quantile, native=native)
        return _Goods(data=data, candidates=rules)
    rule = CalibrationRule.of(
        order.calibrator or Calibrator.MINMAX,
        batch_size=batch_size,
        before_fusion=not order.after_fusion,
        quantile=order.quantile,
        cutoff=order.cutoff,
    )
    return _Goods(data=data, rule=rule)


def _site(
    order: Order, goods: _Goods, targets: Sequence[BuildTarget], toolchains: Sequence[Toolchain], tell: Tell
) -> BuildTarget | None:
    rule = goods.rule or next(iter(goods.candidates), None)
    if rule is None:
        return None
    # Some of those that are compared TensorRT does not have: without a wish, one hand makes all their tables.
    unasked = CalibrateWith.REFERENCE if goods.candidates else None
    site = calibration_site(
        rule,
        targets,
        toolchains,
        wanted=order.calibrate_with or unasked,
        takers=takers(order, targets),
        restamp=order.restamp,
    )
    if any(target.on_gpu for target in targets):
        tell(f"calibration: {f'TensorRT {site.tensorrt} on {site.compute_capability}' if site else 'on the CPU'}")
    return site


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


def _calibration_source(order: Order, model: Model) -> Source | None:
    """Where the calibration data is; where it is not needed it is only a place to look for test data beside it."""
    try:
        return locate(order.data, model)
    except DataError:
        needless = order.table or order.build_options.get(DYNAMIC_RANGES) or not PRECISIONS[order.precision].quantized
        if not order.data and needless:
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
    farm: Farm, order: Order, toolchains: tuple[Sequence[Toolchain], Sequence[Toolchain]], model: Model, tell: Tell
) -> tuple[tuple[BuildTarget, ...], tuple[str, ...]]:
    """The best toolchain for each target, and the targets where what stays beside INT8 is float16.

    `toolchains` are those of this host and those of workers; the latter build what the former cannot. A target asked
    for twice is built once.
    """
    products = any(operator.name in _PRODUCTS for operator in model.summary.operators)
    targets, in_float16 = [], []
    for wanted in dict.fromkeys(order.targets or farm.settings.targets):
        best = _best(toolchains, target=wanted, precision=order.precision, version=order.tensorrt, products=products)
        target = BuildTarget(compute_capability=str(wanted), toolchain=best.kind.value, tensorrt=best.version)
        targets.append(target)
        if reason := stands_in(best, wanted, order.precision, products=products):
            in_float16.append(str(target))
            tell(f"{wanted}: what stays beside INT8 is float16 there, for {best.name} says: {reason}")
    return tuple(targets), tuple(in_float16)


def _best(toolchains: tuple[Sequence[Toolchain], Sequence[Toolchain]], **wanted: Any) -> Toolchain:
    """Of this host, so that the same order finds the same results whichever workers are up; else of a worker."""
    here, elsewhere = toolchains
    try:
        return choose(here, **wanted)
    except ToolchainError:
        if not elsewhere:
            raise
        return choose([*here, *elsewhere], **wanted)


def _table(
    farm: Farm, order: Order, reader: DataReader, targets: Sequence[BuildTarget]
) -> CalibrationTable | str | None:
    """The table that the order names: one of a file, or the id of one of the farm.

    It must fit model and calibrator, and each target that is handed it.
    """
    if not order.table:
        return None
    from trtfarm.tables.reading import bytes_of_file  # noqa: PLC0415 - most orders name no table
    from trtfarm.tables.validation import load  # noqa: PLC0415

    tensors = reader.model.summary.tensors
    if is_file(order.table):
        table = load(bytes_of_file(Path(order.table)), name=order.table, expected=order.calibrator, tensors=tensors)
        version = str(table.version) if table.version else None
        handed = TableRow(id=order.table, origin=TableOrigin.IMPORTED, portable=True, tensorrt=version, rule={})
        _tell_reuse(order, handed, targets, reader)
        return table
    if "/" in order.table:
        raise NotFoundError(f"there is no file {order.table}", remedy="name a table's file, or its id in the farm")
    with farm.database.read() as session:
        row = find_one(session, TableRow, order.table)
    load(farm.blobs.read(row.blob), name=row.id, expected=order.calibrator, tensors=tensors)
    _tell_reuse(order, row, targets, reader)
    return row.id


def _tell_reuse(order: Order, table: TableRow, targets: Sequence[BuildTarget], reader: DataReader) -> None:
    """Says what using the table for each target amounts to; raises TableError for one that it does not hold for."""
    for target in takers(order, targets):
        reuse = reuse_of(table, target, restamp=order.restamp)
        reader.tell_all([f"table {table.id} for {target}: {described(reuse, table)}"])
