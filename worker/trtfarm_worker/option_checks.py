"""Options of an order that nothing would be done with: refused, as whoever gives one expects otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtfarm.build_options import DYNAMIC_RANGES
from trtfarm.calibrators import AFTER_FUSION_BY_DEFAULT, CalibrationRule, Calibrator
from trtfarm.candidates import COMPARED
from trtfarm.contradictions import check_typing
from trtfarm.errors import UsageError
from trtfarm.models.model import Model
from trtfarm.precisions import PRECISIONS, strongly_typed
from trtfarm.targets import BuildTarget
from trtfarm_worker.order import Order, is_measured, takers

#: Options by name, with what was given; None, or nothing in it, where they were not.
Options = Mapping[str, object]


def model_of(order: Order) -> Model:
    """The model of an order, read once its options were found to make sense. Raises UsageError, ModelError."""
    check_options(order)
    return Model.read(order.model)


def check_options(order: Order) -> None:
    """What can be told before anything is read. Raises UsageError."""
    if order.search and order.max_drop is None:
        raise UsageError("--search needs to know how much may be lost", remedy="add --max-drop 1%")
    precision = PRECISIONS[order.precision]
    if not precision.float16:
        _refuse(_of_float16(order), f"{order.precision} has no float16")
    if not precision.quantized:
        int8 = {
            **_of_scales(order),
            **_of_calibration(order),
            **_of_quantizer(order),
            "--explicit": order.explicit or None,
        }
        _refuse(int8, f"{order.precision} is not quantised")
    elif order.table:
        auto = {"--calibrator auto": order.compare or None}
        _refuse({**_of_calibration(order), **auto}, "with --table nothing is calibrated")
    elif order.compare:
        _check_comparison(order)
    else:
        _check_rule(order)


def check_for_quantized_model(order: Order) -> None:
    """Raises UsageError for options of calibration and quantisation: the model has its scales."""
    given = {"--restamp": order.restamp or None, "--dynamic-ranges": order.build_options.get(DYNAMIC_RANGES)}
    _refuse(
        {**_of_scales(order), **_of_calibration(order), **given, **_of_quantizer(order)},
        "the model has Q/DQ nodes, which hold its scales",
        "leave it out, or hand in the model from before quantisation",
    )


def check_for_targets(order: Order, targets: Sequence[BuildTarget]) -> None:
    """Raises UsageError for options that none of the targets has a use for, or that one of them lacks."""
    check_typing(order.build_options, targets)
    precision = PRECISIONS[order.precision]
    if not is_measured(order, targets):
        verification = {"--test-data": order.test_data, "--labels": order.labels, "--max-drop": order.max_drop}
        what = "the model as it is" if order.prequantized else order.precision
        _refuse(verification, f"{what} is not measured")
    if precision.quantized and len(takers(order, targets)) == len(targets):
        _refuse(_exclusions(order), "INT8 from a table has no Q/DQ nodes", "add --explicit, or use layer_precisions")
    if precision.float16 and not any(strongly_typed(target, order.build_options) for target in targets):
        why = "TensorRT before 11 chooses where FP16 is used"
        _refuse(_of_float16(order), why, "use --option layer_precisions and precision_constraints")


def _check_comparison(order: Order) -> None:
    legacy = {"--cutoff": order.cutoff, "--after-fusion": order.after_fusion or None}
    _refuse(legacy, f"--calibrator auto compares {', '.join(COMPARED)}, before fusion")
    CalibrationRule.of(Calibrator.PERCENTILE, batch_size=order.batch_size or 1, quantile=order.quantile)


def _check_rule(order: Order) -> None:
    rule = order.calibrator or Calibrator.MINMAX
    CalibrationRule.of(rule, batch_size=order.batch_size or 1, quantile=order.quantile, cutoff=order.cutoff)
    check_fusion(rule, after_fusion=order.after_fusion)


def check_fusion(calibrator: Calibrator, *, after_fusion: bool) -> None:
    """Raises UsageError for a calibrator that TensorRT has before fusion only."""
    if after_fusion and calibrator not in AFTER_FUSION_BY_DEFAULT:
        _refuse({"--after-fusion": True}, f"{calibrator} is always calibrated before fusion")


def _of_scales(order: Order) -> Options:
    """Those that say where scales come from."""
    return {"--calibrator": order.calibrator or order.compare or None, "--data": order.data, "--table": order.table}


def _of_calibration(order: Order) -> Options:
    return {
        "--batch-size": order.batch_size,
        "--quantile": order.quantile,
        "--cutoff": order.cutoff,
        "--calibrate-with": order.calibrate_with,
        "--after-fusion": order.after_fusion or None,
        "--shards": order.shards if order.shards > 1 else None,
    }


def _of_quantizer(order: Order) -> Options:
    return {**_exclusions(order), "--search": order.search or None}


def _exclusions(order: Order) -> Options:
    return {"--exclude": order.exclude_nodes, "--exclude-op": order.exclude_op_types}


def _of_float16(order: Order) -> Options:
    return {"--keep-fp32": order.float32_nodes, "--keep-fp32-op": order.float32_op_types}


def _refuse(options: Options, why: str, remedy: str = "leave it out") -> None:
    given = [name for name, value in options.items() if value not in (None, (), [])]
    if given:
        raise UsageError(f"{', '.join(given)} cannot be used here", cause=why, remedy=remedy)
