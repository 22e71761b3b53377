"""Whether a table that was made for one TensorRT and one device may be used for another, and what that amounts to."""

from __future__ import annotations

from enum import StrEnum

from trtfarm.calibrators import DEFAULT_CUTOFF, DEFAULT_QUANTILE, HEADER_WORDS, Calibrator
from trtfarm.database.schema import TableRow
from trtfarm.errors import TableError
from trtfarm.origins import TableOrigin
from trtfarm.tables.headers import LegacyHeader, VersionHeader, header_from_text
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion


class Reuse(StrEnum):
    """How far a table is from the one that the target itself would make. The builder compares names in any case."""

    #: This TensorRT made it, on such a device.
    EXACT = "exact"
    #: This TensorRT made it, on another device; a portable table holds there too.
    OTHER_DEVICE = "same table for another device"
    #: Made without a GPU, by the rules of all these TensorRTs.
    REFERENCE = "made without a GPU"
    #: Another release's table under this one's header.
    RESTAMPED = "re-stamped"


def reuse_of(table: TableRow, target: BuildTarget, *, restamp: bool) -> Reuse:
    """What using the table for a target amounts to.

    A table of the same release line (major and minor number) is re-stamped; one of another line only with `restamp`,
    because there the parser may name and fuse tensors otherwise. Raises TableError with the fields that differ.
    """
    if not table.portable and table.device != target.compute_capability:
        raise TableError(
            f"table {table.id} is not for {target}",
            cause=f"it was made after fusion, on {table.device}, and holds for that alone",
            remedy="calibrate for this target, or before fusion",
        )
    if table.origin is TableOrigin.REFERENCE:
        return Reuse.REFERENCE
    wanted = TensorRTVersion.parse(target.tensorrt)
    made_by = None if table.tensorrt is None else TensorRTVersion.parse(table.tensorrt)
    if made_by is None or wanted.matches(made_by):
        return Reuse.EXACT if _made_on(table) in (None, target.compute_capability) else Reuse.OTHER_DEVICE
    if (made_by.major, made_by.minor) != (wanted.major, wanted.minor) and not restamp:
        raise TableError(
            f"table {table.id} is not for {target}",
            cause=f"TensorRT {made_by} made it, and {wanted} is of another release line",
            remedy="calibrate on this TensorRT or on the reference; or add --restamp to use it all the same",
        )
    return Reuse.RESTAMPED


def described(reuse: Reuse, table: TableRow) -> str:
    return f"{reuse} from {table.tensorrt}" if reuse is Reuse.RESTAMPED else reuse.value


def algorithm_of(table: TableRow) -> str:
    """What the table's header says but for the version: TensorRT's word, or Legacy's two parameters."""
    text = table.rule.get("header")
    if text is not None:
        header = header_from_text(str(text))
        return header.word if isinstance(header, VersionHeader) else str(header)
    if table.calibrator != Calibrator.LEGACY:
        return HEADER_WORDS[Calibrator(table.calibrator)]
    cutoff, quantile = table.rule.get("cutoff"), table.rule.get("quantile")
    return str(
        LegacyHeader.of(
            cutoff=DEFAULT_CUTOFF if cutoff is None else cutoff,
            quantile=DEFAULT_QUANTILE if quantile is None else quantile,
        )
    )


def _made_on(table: TableRow) -> str | None:
    """The compute capability of the GPU that calibrated, where that is known."""
    device = table.rule.get("device")
    return device["compute_capability"] if device else None
