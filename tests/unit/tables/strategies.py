"""Tables as hypothesis makes them: any name that a line can hold, any 32 bits as scale."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion

#: Printable text of any script, with the marks that make splitting hard more often than chance would.
names = st.text(
    st.one_of(st.sampled_from(": /[]()*0a"), st.characters(exclude_categories=("C", "Z"))), min_size=1, max_size=30
)
bits = st.integers(0, 2**32 - 1).map(lambda value: f"{value:08x}")
#: Scales that TensorRT takes: positive normal float32.
sound = st.integers(0x00800000, 0x7F7FFFFF).map(lambda value: f"{value:08x}")
shares = st.floats(0, 1, exclude_min=True)


def rules() -> st.SearchStrategy[CalibrationRule]:
    legacy = st.builds(
        lambda quantile, cutoff: CalibrationRule.of(Calibrator.LEGACY, batch_size=8, quantile=quantile, cutoff=cutoff),
        shares,
        shares,
    )
    plain = st.sampled_from([Calibrator.MINMAX, Calibrator.ENTROPY, Calibrator.ENTROPY2, Calibrator.MSE])
    return st.one_of(legacy, plain.map(lambda calibrator: CalibrationRule.of(calibrator, batch_size=8)))


#: Of TensorRTs that read tables.
versions = st.one_of(
    st.builds(TensorRTVersion, st.integers(1, 9), st.integers(0, 9), st.integers(0, 99)),
    st.builds(TensorRTVersion, st.just(10), st.integers(0, 99), st.integers(0, 99)),
)


def tables(scales: Any = bits, *, min_size: int = 0) -> st.SearchStrategy[CalibrationTable]:
    return st.builds(
        CalibrationTable.of, st.dictionaries(names, scales, min_size=min_size, max_size=12), rules(), versions
    )
