"""Where a job may run: what people write, the word that the database holds, and what two who want one job agree on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm.errors import UsageError
from trtfarm.requirements import (
    ANYWHERE,
    LONGEST_WORD,
    MOST_MEMORY,
    MOST_REQUIRED,
    Requirements,
    labels_of,
    requirements_of,
    whole_gib,
)
from trtfarm.routing import Need, Station, fits, station_of

GIB = 1 << 30
ON_H200 = "tensorrt-8.5.3.1/sm_90"
PLACED = Station(labels=frozenset({"rack=a1", "zone=b"}), gpu_memory=(("sm_80", 40), ("sm_90", 141)))

keys = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}", fullmatch=True)
values = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}", fullmatch=True)
requirements = st.builds(
    lambda labels, gib: Requirements(labels=tuple(sorted(f"{k}={v}" for k, v in labels.items())), gpu_memory_gib=gib),
    st.dictionaries(keys, values, max_size=MOST_REQUIRED),
    st.integers(0, MOST_MEMORY),
)


@given(requires=requirements)
def test_a_word_holds_all_of_it(requires: Requirements) -> None:
    assert requirements_of(requires.word) == requires
    assert len(requires.word) <= LONGEST_WORD
    assert labels_of(reversed(requires.labels), most=MOST_REQUIRED) == requires.labels


@pytest.mark.parametrize(
    "texts",
    [
        ["rack"],
        ["=a1"],
        ["rack="],
        ["rack=a 1"],
        ["rack=a;1"],
        ["rack=a1\n"],
        ["räck=a1"],
        ["-x=1"],
        ["a=b=c"],
        ["k" * 64 + "=v"],
        ["rack=a1", "rack=a2"],
        [f"k{number}=v" for number in range(9)],
    ],
)
def test_what_is_no_label_is_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        labels_of(texts, most=MOST_REQUIRED)
    assert refused.value.remedy


def test_labels_have_an_order_and_are_there_once() -> None:
    assert labels_of(["zone=b", "rack=a1", "zone=b"], most=2) == ("rack=a1", "zone=b")


@pytest.mark.parametrize(("memory", "gib"), [(0, 0), (1, 1), (GIB, 1), (GIB + 1, 2), (24_564 << 20, 24)])
def test_a_gpu_counts_as_what_it_is_sold_as(memory: int, gib: int) -> None:
    assert whole_gib(memory) == gib


def test_the_largest_gpu_of_a_kind_counts() -> None:
    station = station_of(["rack=a1"], [("sm_80", 24 * GIB), ("sm_80", 40 * GIB), ("sm_90", 81_559 << 20)])
    assert station == Station(labels=frozenset({"rack=a1"}), gpu_memory=(("sm_80", 40), ("sm_90", 80)))
    assert [station.memory(word) for word in (ON_H200, "cpu", "tensorrt-8.5.3.1/sm_86")] == [80, 0, 0]


@pytest.mark.parametrize(
    ("need", "may"),
    [
        (Need(ON_H200), True),
        (Need("cpu"), False),
        (Need(ON_H200, Requirements(labels=("rack=a1", "zone=b"), gpu_memory_gib=141)), True),
        (Need(ON_H200, Requirements(gpu_memory_gib=142)), False),
        (Need(ON_H200, Requirements(labels=("rack=a2",))), False),
        (Need(ON_H200, Requirements(labels=("rack=a",))), False),
        (Need(ON_H200, Requirements(labels=("rack=a1", "row=3"))), False),
    ],
)
def test_who_may_do_what(need: Need, may: bool) -> None:  # noqa: FBT001 - drawn by name
    assert fits(need, [ON_H200], PLACED) is may


@pytest.mark.parametrize(
    ("first", "other", "agreed"),
    [
        ((("rack=a1",), 0), ((), 0), ((), 0)),
        (((), 0), (("rack=a1",), 0), ((), 0)),
        ((("rack=a1", "zone=b"), 8), (("zone=b",), 40), (("zone=b",), 40)),
        ((("rack=a1",), 40), (("rack=b1",), 8), (("rack=a1",), 40)),
    ],
)
def test_two_who_want_one_job_agree(
    first: tuple[tuple[str, ...], int], other: tuple[tuple[str, ...], int], agreed: tuple[tuple[str, ...], int]
) -> None:
    one, two, both = (Requirements(labels=labels, gpu_memory_gib=gib) for labels, gib in (first, other, agreed))
    assert one.joined(two) == both


@given(one=requirements, other=requirements)
def test_who_is_less_particular_has_its_way_and_agreeing_again_changes_nothing(
    one: Requirements, other: Requirements
) -> None:
    agreed = one.joined(other)
    assert set(agreed.labels) <= set(one.labels)
    assert agreed.labels in (one.labels, other.labels)
    assert agreed.gpu_memory_gib == max(one.gpu_memory_gib, other.gpu_memory_gib)
    assert agreed.joined(other) == agreed.joined(one) == agreed
    assert one.joined(ANYWHERE).labels == ()
