"""From files on this machine to a submission: what a user names, read, checked, stored and put into a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm.build_options import MORE_PROFILES
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.fit import check_profile
from trtfarm.errors import UsageError
from trtfarm.models.interface import check_interface
from trtfarm.models.model import Model
from trtfarm.models.named_nodes import check_named
from trtfarm.models.shapes import OptimizationProfile, check_shapes, profiles_of
from trtfarm.stored_names import as_stored
from trtfarm.submission_request import SubmissionRequest
from trtfarm.targets import BuildTarget
from trtfarm_worker.data_reader import DataReader, Tell
from trtfarm_worker.goods import Goods, goods_of
from trtfarm_worker.makers import Makers, Targets
from trtfarm_worker.option_checks import check_for_targets
from trtfarm_worker.order import Order
from trtfarm_worker.quantized_models import as_handed_in
from trtfarm_worker.stock import Stock
from trtfarm_worker.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    from trtfarm_worker.builder.supervisor import Listener

#: Stands for the id of a row that is made only when all of a request was found fit.
_LATER = ""


def take(
    stock: Stock,
    order: Order,
    model: Model,
    toolchains: Sequence[Toolchain],
    *,
    tell: Tell,
    listener: Listener,
    expect: Callable[[Sequence[BuildTarget]], None] = lambda _targets: None,
) -> SubmissionRequest:
    """Reads and checks all that an order names beside its model, stores it, and returns the request.

    `model` is the order's, as `model_of` gives it, and `toolchains` are those of this host. `tell` hears what was
    decided, `listener` the builders that look into a new model and decode images, `expect` of the targets of a new
    model before one does. Nothing is stored before everything has been found fit. Raises ModelError, DataError,
    TableError, UsageError, ToolchainError.
    """
    if (name := stock.known_as(model)) not in (None, as_stored(model.name)):
        tell(f"{order.model} is the model that the farm lists as {name}; it is found by both names")
    order = as_handed_in(order, model, tell)
    makers = Makers(stock, toolchains, tell)
    targets = makers.targets(order, model)
    _check_model(order, model, targets)
    with stock.scratch("order") as folder:
        copy: Sequence[Path] = ()
        if not stock.has_model(model):
            expect(targets.all)
            copy = _inspected_copy(stock, model, folder, listener)
        reader = DataReader(stock.settings, model, folder, tell=tell, listener=listener, recognise=stock.recognised)
        goods = goods_of(stock, order, reader, targets.all)
        profiles = _profiles(order, model, [found for found in (goods.data, goods.test) if found])
        rule = goods.rule or next(iter(goods.candidates), None)
        site = makers.calibration(order, targets.all, rule, compared=bool(goods.candidates))
        return _stored(stock, _request(order, targets, goods, profiles, site), model, copy, goods)


def _check_model(order: Order, model: Model, targets: Targets) -> None:
    """Before data are read, which may take long."""
    check_for_targets(order, targets.all)
    check_interface((one.name for one in model.summary.inputs), (one.name for one in model.summary.outputs))
    check_named(model.summary, order.exclude_nodes, order.exclude_op_types)
    check_named(model.summary, order.float32_nodes, order.float32_op_types)
    check_shapes(model.summary.inputs, order.shapes)


def _request(
    order: Order, targets: Targets, goods: Goods, profiles: Sequence[OptimizationProfile], site: BuildTarget | None
) -> SubmissionRequest:
    """The request without the ids of its rows."""
    return SubmissionRequest(
        model_id=_LATER,
        precision=order.precision,
        targets=targets.all,
        rule=goods.rule,
        candidates=goods.candidates,
        dataset_id=_LATER if goods.data else None,
        table_id=_LATER if goods.table else None,
        test_dataset_id=_LATER if goods.test else None,
        max_drop=order.max_drop,
        calibrate_on=site,
        explicit=order.explicit or order.search,
        prequantized=order.prequantized,
        search=order.search,
        restamp=order.restamp,
        timing_cache=order.timing_cache,
        priority=order.priority,
        shards=order.shards,
        require_labels=order.require_labels,
        require_gpu_memory=order.require_gpu_memory,
        rest_in_float16=targets.in_float16,
        profiles=profiles[0].as_dict(),
        quantizer_options=order.quantizer_options(),
        converter_options=order.converter_options(),
        build_options=_build_options(order, profiles),
    )


def _inspected_copy(stock: Stock, model: Model, folder: Path, listener: Listener) -> Sequence[Path]:
    from trtfarm_worker.inspection import inspected_copy  # noqa: PLC0415 - builders, which a known model does not need

    return inspected_copy(stock.settings, model, folder, listener)


def _stored(
    stock: Stock, request: SubmissionRequest, model: Model, copy: Sequence[Path], goods: Goods
) -> SubmissionRequest:
    """The request with the ids of its rows."""
    model_id = stock.add_model(model, copy)
    return replace(
        request,
        model_id=model_id,
        dataset_id=stock.add_dataset(goods.data) if goods.data else None,
        table_id=goods.table if isinstance(goods.table, str | None) else stock.add_table(goods.table, model_id),
        test_dataset_id=stock.add_dataset(goods.test) if goods.test else None,
    )


def _profiles(order: Order, model: Model, data_sets: Sequence[DataSet]) -> tuple[OptimizationProfile, ...]:
    """What the engines are to take; the first is what they are measured with."""
    shapes = {name: array.shape for data in data_sets for name, array in data.inputs.items()}
    profiles = profiles_of(model.summary.inputs, order.shapes, shapes)
    for data in data_sets:
        check_profile(data, profiles[0])
    return profiles


def _build_options(order: Order, profiles: Sequence[OptimizationProfile]) -> dict[str, Any]:
    more = [profile.as_dict() for profile in profiles[1:]]
    if more and MORE_PROFILES in order.build_options:
        raise UsageError(f"--shape and the option {MORE_PROFILES} both name several profiles", remedy="use one of them")
    return {**order.build_options, **({MORE_PROFILES: more} if more else {})}
