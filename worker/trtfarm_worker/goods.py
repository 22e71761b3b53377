"""What an order names beside its model: data, rule or table, and test data, read and found fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtfarm.build_options import DYNAMIC_RANGES
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.candidates import candidate_rules
from trtfarm.database.schema import TableRow
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.held_out import check_apart, held_out
from trtfarm.datasets.locate import locate
from trtfarm.datasets.sources import Source
from trtfarm.errors import DataError, NotFoundError
from trtfarm.models.model import Model
from trtfarm.origins import TableOrigin
from trtfarm.precisions import PRECISIONS
from trtfarm.regular_files import is_file
from trtfarm.shards import check_shards
from trtfarm.submissions.reuse import described, reuse_of
from trtfarm.targets import BuildTarget
from trtfarm_worker.data_reader import DataReader
from trtfarm_worker.order import Order, by_hand, is_measured, takers
from trtfarm_worker.sites import CalibrateWith
from trtfarm_worker.stock import Stock

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable


@dataclass(frozen=True, kw_only=True)
class Goods:
    """What an order names beside its model, read and found fit; `table` is an id for a table of the farm."""

    data: DataSet | None = None
    rule: CalibrationRule | None = None
    candidates: tuple[CalibrationRule, ...] = ()
    table: CalibrationTable | str | None = None
    test: DataSet | None = None


def goods_of(stock: Stock, order: Order, reader: DataReader, targets: Sequence[BuildTarget]) -> Goods:
    """Reads it, as far as the order needs it, and says what was found. Raises DataError, TableError, UsageError."""
    reader.tell_all(reader.model.notices)
    if not is_measured(order, targets):
        return Goods()
    table = _table(stock, order, reader, targets)
    source = _calibration_source(order, reader.model)
    if not PRECISIONS[order.precision].quantized or order.prequantized:
        return Goods(test=_test_data(stock, order, reader, source, None))
    if table is None and by_hand(order, targets):
        reader.tell_all(["the ranges are those given by hand: nothing is calibrated"])
        return Goods(test=_test_data(stock, order, reader, source, None))
    if order.search and table is not None and source is not None:
        data = reader.read(source)
        return Goods(data=data, table=table, test=_test_data(stock, order, reader, source, data))
    if table is not None or source is None:
        if order.data:
            reader.tell_all(["the ranges are those of the table: the calibration data is not read"])
        return Goods(table=table, test=_test_data(stock, order, reader, source, None))
    data = reader.read(source)
    return replace(_calibration(order, reader, data), test=_test_data(stock, order, reader, source, data))


def _calibration(order: Order, reader: DataReader, data: DataSet) -> Goods:
    """The rule to calibrate by, or the ones to compare."""
    batch_size = reader.batch_size(order.batch_size, data)
    check_shards(order.shards, data.samples, batch_size)
    if order.compare:
        native = order.calibrate_with is CalibrateWith.TENSORRT
        rules = candidate_rules(batch_size=batch_size, quantile=order.quantile, native=native)
        return Goods(data=data, candidates=rules)
    rule = CalibrationRule.of(
        order.calibrator or Calibrator.MINMAX,
        batch_size=batch_size,
        before_fusion=not order.after_fusion,
        quantile=order.quantile,
        cutoff=order.cutoff,
    )
    return Goods(data=data, rule=rule)


def _calibration_source(order: Order, model: Model) -> Source | None:
    """Where the calibration data is; where it is not needed it is only a place to look for test data beside it."""
    try:
        return locate(order.data, model)
    except DataError:
        given = order.table or order.build_options.get(DYNAMIC_RANGES) or order.prequantized
        if not order.data and (given or not PRECISIONS[order.precision].quantized):
            return None
        raise


def _test_data(
    stock: Stock, order: Order, reader: DataReader, source: Source | None, data: DataSet | None
) -> DataSet | None:
    found = held_out(source, reader.model, test_data=order.test_data, labels=order.labels)
    if found is None:
        reader.tell_all(["no verification: no data beside the calibration data (test/) and none named (--test-data)"])
        return None
    test = reader.read(found, labels=True)
    if data is not None:
        check_apart(data, test)
    if data is not None and not (stock.has_data(data) and stock.has_data(test)):
        from trtfarm.datasets.overlap import check_held_out  # noqa: PLC0415 - NumPy, which known data does not need

        reader.tell_all(check_held_out(data, test))
    return test


def _table(
    stock: Stock, order: Order, reader: DataReader, targets: Sequence[BuildTarget]
) -> CalibrationTable | str | None:
    """The table that the order names: one of a file, or the id of one of the farm.

    It must fit model and calibrator, and each target that is handed it.
    """
    if not order.table:
        return None
    from trtfarm.tables.reading import bytes_of_file, neither  # noqa: PLC0415 - most orders name no table
    from trtfarm.tables.validation import load  # noqa: PLC0415

    tensors = reader.model.summary.tensors
    if is_file(order.table) or "/" in order.table:
        table = load(bytes_of_file(Path(order.table)), name=order.table, expected=order.calibrator, tensors=tensors)
        version = str(table.version) if table.version else None
        handed = TableRow(id=order.table, origin=TableOrigin.IMPORTED, portable=True, tensorrt=version, rule={})
        _tell_lacking(order, table, order.table, reader)
        _tell_reuse(order, handed, targets, reader)
        return table
    try:
        row, text = stock.table(order.table)
    except NotFoundError as error:
        raise neither(order.table) from error
    table = load(text, name=row.id, expected=order.calibrator, tensors=tensors)
    _tell_lacking(order, table, row.id, reader)
    _tell_reuse(order, row, targets, reader)
    return row.id


def _tell_lacking(order: Order, table: CalibrationTable, name: str, reader: DataReader) -> None:
    """Says which tensors have no scale in a table: one of a single line is sound, and quantises next to nothing."""
    from trtfarm.tables.validation import lacking  # noqa: PLC0415 - as above

    summary, by_hand = reader.model.summary, order.build_options.get(DYNAMIC_RANGES, ())
    if said := lacking(table, summary.tensors, {*summary.whole_numbers, *by_hand}):
        reader.tell_all([f"warning: table {name}: {said}; what reads them may stay in floating point"])


def _tell_reuse(order: Order, table: TableRow, targets: Sequence[BuildTarget], reader: DataReader) -> None:
    """Says what using the table for each target amounts to; raises TableError for one that it does not hold for."""
    for target in takers(order, targets):
        reuse = reuse_of(table, target, restamp=order.restamp)
        reader.tell_all([f"table {table.id} for {target}: {described(reuse, table)}"])
