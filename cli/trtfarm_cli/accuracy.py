"""What a verification measured, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trtfarm_cli import output


def brief(metrics: Mapping[str, Any] | None) -> str | None:
    """A lower precision against FP32 in a few words; None where nothing was measured."""
    if metrics is None:
        return None
    if classes := metrics.get("classification"):
        return f"top-1 {classes['candidate']['top1']:.2%} (FP32 {classes['reference']['top1']:.2%})"
    cosines = [measured["cosine_mean"] for measured in metrics["outputs"].values() if "cosine_mean" in measured]
    return f"cosine {min(cosines):.4f}" if cosines else None


def measured_on(metrics: Mapping[str, Any]) -> str:
    """How many samples, and whether the engine ran them."""
    place = "simulated on the CPU" if metrics["simulated"] else "on the engine"
    return f"{output.counted(metrics['samples'], 'sample')}, {place}"


def lines(metrics: Mapping[str, Any], precision: str) -> Iterator[str]:
    """Top-1 and Top-5 where there were labels, else a line for each output; and on what it was measured.

    A submission's facts say what `against` it was: FP32, or the Q/DQ nodes that the model came with, as ONNX has them.
    """
    where = measured_on(metrics)
    if classes := metrics["classification"]:
        reference, candidate = classes["reference"], classes["candidate"]
        yield f"{metrics.get('against', 'FP32')} {_tops(reference)}  {precision.upper()} {_tops(candidate)}  ({where})"
        return
    for name, measured in metrics["outputs"].items():
        yield f"{name}: {', '.join(_measures(measured))}  ({where})"


def _tops(measured: Mapping[str, Any]) -> str:
    """There is no Top-5 of five classes or fewer."""
    five = f", Top5: {measured['top5']:.4f}" if measured["top5"] is not None else ""
    return f"Top1: {measured['top1']:.4f}{five}"


def _measures(measured: Mapping[str, Any]) -> Iterator[str]:
    if "equal_share" in measured:
        yield f"{measured['equal_share']:.2%} of the integers are equal"
        return
    yield f"cosine {measured['cosine_mean']:.5f} (worst {measured['cosine_min']:.5f})"
    # Neither is told where it has no value: no error at all, or values that are not numbers.
    if measured["snr_db"] is not None:
        yield f"SNR {measured['snr_db']:.1f} dB"
    if measured["max_abs_error"] is not None:
        yield f"largest error {measured['max_abs_error']:.4g}"
    if measured["broken_samples"]:
        yield f"{output.counted(measured['broken_samples'], 'sample')} with values that are not numbers"
