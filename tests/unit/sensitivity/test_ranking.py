"""The order to leave nodes in, from what each loses by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm_builder.sensitivity.ranking import Group, leave_first, measure_groups, shares_left


def group(name: str, **losses: float) -> Group:
    return Group(nodes=(name,), losses=losses)


def test_the_most_sensitive_goes_first_and_equal_ones_in_the_given_order() -> None:
    ordered = leave_first([group("a", y=0.1), group("b", y=0.3), group("c", y=0.1), group("d", y=0.2)])
    assert [item.nodes[0] for item in ordered] == ["b", "d", "a", "c"]


def test_always_the_output_that_loses_most_is_relieved() -> None:
    groups = [group("a", y=0.5, z=0.0), group("b", y=0.0, z=0.3), group("c", y=0.1, z=0.0), group("d", y=0.0, z=0.2)]
    assert [item.nodes[0] for item in leave_first(groups)] == ["a", "b", "d", "c"]


def test_shares_left_fall_from_all_to_nothing() -> None:
    assert shares_left([group("a", y=6.0), group("b", y=3.0), group("c", y=1.0)]) == pytest.approx([1, 0.4, 0.1, 0])
    assert shares_left([group("a", y=0.0)]) == [0.0, 0.0]


class Model:
    """Nodes whose losses add up; counts its trials."""

    def __init__(self, losses: Mapping[str, float]) -> None:
        self._losses = losses
        self.trials = 0

    def measure(self, nodes: Sequence[str]) -> Mapping[str, float]:
        self.trials += 1
        return {"y": sum(self._losses[name] for name in nodes)}


def test_each_node_has_a_trial_of_its_own_where_there_are_enough() -> None:
    model = Model({f"n{number}": float(number) for number in range(10)})
    groups = measure_groups(list(model._losses), model.measure, most_trials=10)
    assert model.trials == 10
    assert all(len(item.nodes) == 1 for item in groups)


@given(st.integers(1, 300), st.integers(4, 40))
def test_many_nodes_are_all_ranked_in_bounded_trials(nodes: int, most: int) -> None:
    model = Model({f"n{number}": float(number % 7) for number in range(nodes)})
    groups = measure_groups(list(model._losses), model.measure, most_trials=most)
    assert model.trials <= most
    assert [name for item in groups for name in item.nodes] == list(model._losses)


def test_the_worst_of_many_is_singled_out() -> None:
    model = Model({f"n{number}": 5.0 if number == 137 else 0.001 for number in range(500)})
    groups = measure_groups(list(model._losses), model.measure, most_trials=64)
    assert leave_first(groups)[0].nodes == ("n137",)
