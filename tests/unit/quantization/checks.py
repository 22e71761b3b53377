"""What the tests of the quantizer ask of its results."""

from __future__ import annotations

import numpy as np
import onnx

from tests.unit.onnx_models import minmax_table, pairs_in, random_feeds, run
from tests.unit.rewrites import Rewritten


def check_close(model: onnx.ModelProto, result: Rewritten, least: float = 0.999) -> None:
    """The quantised model computes what the model does, but for rounding: cosine of each output."""
    feeds = random_feeds(model)
    expected, got = run(model, feeds), run(result.path, feeds)
    for name, value in expected.items():
        cosine = np.vdot(value, got[name]) / (np.linalg.norm(value) * np.linalg.norm(got[name]))
        assert cosine > least, name
        assert not np.array_equal(value, got[name]), "nothing was rounded"


def table_of(model: onnx.ModelProto) -> dict[str, str]:
    return minmax_table(model, random_feeds(model))


def sources(result: Rewritten) -> dict[tuple[str, int], str]:
    return {place: pair.source for place, pair in pairs_in(result.model).items()}
