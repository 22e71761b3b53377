"""The scales of a build: a table, scales or ranges by hand, put together and under this TensorRT's own header."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping, Optional

from trtfarm_builder.failures import BadRequestError, BadTableError
from trtfarm_builder.trt.binding import header_digits, trt
from trtfarm_builder.trt.cache_text import CacheText, check_scales, parse_cache
from trtfarm_builder.trt.interfaces import interface_of

#: Arguments that give scales.
SCALES = ("table", "scales", "dynamic_ranges")


def given_scales(args: Mapping[str, Any]) -> Optional[CacheText]:
    """Table, scales and ranges of a request as one table; None where it gives none.

    A range by hand takes the place of a scale. Raises BadTableError and BadRequestError.
    """
    if not any(args.get(name) for name in SCALES):
        return None
    if args.get("table"):
        table = parse_cache(Path(args["table"]).read_bytes())
    else:
        word = args.get("calibrator", "entropy2")
        interface_of(word)
        table = CacheText(
            calibrator=word,
            digits=header_digits(trt.__version__),
            quantile=1.0,
            cutoff=1.0,
            scales=dict(args.get("scales") or {}),
        )
    ranges = {tensor: _scale_hex(tensor, amax) for tensor, amax in (args.get("dynamic_ranges") or {}).items()}
    merged = {**table.scales, **ranges}
    if not merged:
        raise BadTableError("the table has no scales", remedy="calibrate again")
    check_scales(merged)
    return replace(table, scales=merged)


def stamped(table: CacheText, scales: Mapping[str, str]) -> CacheText:
    """These scales under the table's algorithm and this TensorRT's version."""
    digits = "" if table.calibrator == "legacy" else header_digits(trt.__version__)
    return replace(table, scales=dict(scales), digits=digits)


def restamped_from(table: CacheText) -> Optional[str]:
    """The version digits that the table came with, where they are another TensorRT's."""
    return table.digits if table.digits not in ("", header_digits(trt.__version__)) else None


def _scale_hex(tensor: str, amax: float) -> str:
    try:
        return struct.pack(">f", amax / 127).hex()
    except (struct.error, OverflowError, TypeError) as error:
        raise BadRequestError("the range of {!r} is no number: {!r}".format(tensor, amax)) from error
