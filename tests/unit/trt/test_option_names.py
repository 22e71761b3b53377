"""The farm knows the options that the builder knows, so that a wrong name costs no job."""

from __future__ import annotations

import pytest

from tests.unit.trt.conftest import Recorded
from trtfarm.build_options import check_options
from trtfarm.errors import UsageError


def test_the_names_are_those_of_the_builder(recorded: Recorded) -> None:
    own = {"tactic_sources", "layer_precisions", "io_formats", "dynamic_ranges", "strongly_typed", "more_profiles"}
    names = {*recorded.child("options").NAMES, *own}
    with pytest.raises(UsageError, match="no builder option strange") as caught:
        check_options({"strange": 1}, "tensorrt")
    assert set(str(caught.value.remedy).removeprefix("use: ").split(", ")) == names
