"""One table of several that have scales of other tensors each."""

from __future__ import annotations

from collections.abc import Mapping

from trtfarm.errors import TableError
from trtfarm.tables.problems import shown_names
from trtfarm.tables.table import CalibrationTable, entries_of


def merged(tables: Mapping[str, CalibrationTable]) -> CalibrationTable:
    """The scales of all of `tables`, at least one, in their order and under their header; the keys are their names.

    Raises TableError where headers differ, or a tensor has another scale in two tables: neither is taken for the better
    one. Not even the larger one is, of MinMax tables of parts of the data: what was zero in one part has a scale there
    that says nothing. Statistics can be merged (`submit --shards`), tables of parts cannot.
    """
    first, header = next((name, table.header) for name, table in tables.items())
    scales: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name, table in tables.items():
        if table.header != header:
            raise TableError(
                f"the headers of {first} and {name} differ: {header} and {table.header}",
                cause="they are of different calibrators or versions of TensorRT",
                remedy="re-stamp one of them (trtfarm tables restamp) if only the version differs",
            )
        apart = [tensor for tensor, scale in table.scales.items() if scales.get(tensor, scale) != scale]
        if apart:
            owner = owners[apart[0]]
            raise _conflict(owner, name, [tensor for tensor in apart if owners[tensor] == owner])
        scales |= table.scales
        owners = dict.fromkeys(table.scales, name) | owners
    return CalibrationTable(header=header, entries=entries_of(scales))


def _conflict(owner: str, name: str, tensors: list[str]) -> TableError:
    return TableError(
        f"{name} has other scales than {owner}: {shown_names(tensors)}",
        cause="they were calibrated on other data, by other rules or for other models",
        remedy=f"compare them (trtfarm tables diff {owner} {name}), and leave one of them out, or those lines",
    )
