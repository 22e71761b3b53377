"""Whoever adds a column to what bundles carry has to decide whether it travels."""

from __future__ import annotations

import numpy as np
import pytest

from trtfarm.bundles import forms
from trtfarm.bundles.kinds import KINDS, Kind
from trtfarm_builder.evaluation.classification import TopAccuracy

#: What a farm knows by itself, or computes from what came: scales are in a table's text, accuracies in the metrics.
STAYS = {
    "tables": {"scales", "tensors", "parent_id"},
    "engines": {"pinned"},
    "verifications": {"top1", "cosine", "lost"},
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_column_travels_or_is_known_to_stay(kind: Kind) -> None:
    columns = {column.name for column in kind.rows.__table__.columns}
    assert columns - set(kind.form) == STAYS.get(kind.name, set())
    assert set(kind.form) - columns == set(kind.besides)
    assert {kind.unique, *kind.names, *kind.files} <= set(kind.form)


def test_rows_come_after_those_that_they_name() -> None:
    seen: set[str] = set()
    for kind in KINDS:
        assert set(kind.names.values()) <= seen
        seen.add(kind.name)


@pytest.mark.parametrize("classes", [2, 5, 6])
def test_what_a_verification_tells_of_classes_travels(classes: int) -> None:
    """Also of so few that there is no Top-5."""
    measured = TopAccuracy()
    measured.add(np.eye(classes), np.arange(classes))
    tops = {"reference": measured.result(), "candidate": measured.result()}
    metrics = {"samples": classes, "simulated": True, "outputs": {}, "classification": tops}
    assert forms.VERIFICATION["metrics"](metrics)
