"""One table of several: shards of one MinMax calibration, or a table and the entries it lacks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trtfarm.calibrators import Calibrator
from trtfarm.errors import TableError
from trtfarm.tables.problems import shown_names
from trtfarm.tables.scales import float32_from_hex
from trtfarm.tables.table import CalibrationTable, entries_of

_OTHER_CALIBRATION = "the tables come from calibrations of different models, versions or calibrators"


def merge_shards(shards: Sequence[CalibrationTable]) -> CalibrationTable:
    """The table of a whole MinMax calibration from tables of parts of its data: each tensor's largest scale.

    Exact, in any order, because MinMax's amax is a maximum over samples and amax / 127 keeps order when it is rounded.
    It holds for no other calibrator: those choose a scale from the histogram of all samples, which a table does not
    have (merge the observed statistics instead). Raises TableError for other calibrators, for shards with
    different headers or tensors, and for none.
    """
    if not shards:
        raise TableError("no tables to merge", remedy="name the tables of all shards")
    first = shards[0]
    if first.calibrator is not Calibrator.MINMAX:
        raise TableError(
            f"tables of {first.calibrator or 'an unknown calibrator'} cannot be merged",
            cause="only MinMax scales of parts of the data give those of the whole",
            remedy="calibrate in shards, and merge their statistics rather than their tables",
        )
    for number, shard in enumerate(shards[1:], start=2):
        _need_same_header(first, shard, f"shard 1 and shard {number}")
        apart = sorted(first.scales.keys() ^ shard.scales.keys())
        if apart:
            raise TableError(
                f"shard 1 and shard {number} do not hold the same tensors: {shown_names(apart)}",
                cause=_OTHER_CALIBRATION,
                remedy="merge shards of one calibration only",
            )
    scales = {tensor: max((shard.scales[tensor] for shard in shards), key=_rank) for tensor in first.scales}
    return CalibrationTable(header=first.header, entries=entries_of(scales))


def complete(table: CalibrationTable, addition: CalibrationTable) -> CalibrationTable:
    """The table with the entries of `addition` that it lacks after its own, such as constants that only a build sees.

    Raises TableError if the headers differ or a tensor has another scale in each: neither is taken for the better one.
    """
    _need_same_header(table, addition, "the table and its addition")
    conflicts = [tensor for tensor, scale in addition.scales.items() if table.scales.get(tensor, scale) != scale]
    if conflicts:
        raise TableError(
            f"{len(conflicts)} tensors have different scales in the two tables: {shown_names(conflicts)}",
            cause=_OTHER_CALIBRATION,
            remedy="compare the tables, and take only one of them",
        )
    return CalibrationTable(header=table.header, entries=entries_of({**table.scales, **addition.scales}))


def _rank(scale: str) -> float:
    """A scale's place among those of its tensor; NaN comes last, so that the merged table shows it."""
    value = float32_from_hex(scale)
    return math.inf if math.isnan(value) else value


def _need_same_header(left: CalibrationTable, right: CalibrationTable, names: str) -> None:
    if left.header != right.header:
        raise TableError(
            f"the headers of {names} differ: {left.header} and {right.header}",
            cause=_OTHER_CALIBRATION,
            remedy="re-stamp one of them if only the version differs",
        )
