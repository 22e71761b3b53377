from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from trtfarm.errors import BuilderCrashError, BuilderError, BuilderMemoryError, ModelError, TrtfarmError
from trtfarm_worker.builder.ending import Ending, oom_kills
from trtfarm_worker.builder.events import Answer, Failure

_ANSWER = Answer(result={"a": 1})


def _failure(code: str) -> Failure:
    return Failure(code=code, message="m", cause="c", remedy="r", trace=None)


def _ending(
    returncode: int, outcome: Answer | Failure | None = None, *, tail: str = "", oom_killed: bool = False
) -> Ending:
    return Ending(returncode=returncode, outcome=outcome, tail=tail, oom_killed=oom_killed)


def test_an_answer_and_exit_code_0_is_a_result() -> None:
    assert _ending(0, _ANSWER).result() == {"a": 1}


@pytest.mark.parametrize(
    ("ending", "error", "words"),
    [
        (_ending(-signal.SIGKILL, oom_killed=True), BuilderMemoryError, "out-of-memory killer"),
        (_ending(-signal.SIGKILL), BuilderCrashError, "SIGKILL from outside"),
        (_ending(-signal.SIGSEGV, oom_killed=True), BuilderCrashError, "SIGSEGV"),
        (_ending(-signal.SIGABRT, tail="what(): std::bad_alloc"), BuilderMemoryError, "SIGABRT"),
        (_ending(-signal.SIGABRT), BuilderCrashError, "SIGABRT"),
        (_ending(-63), BuilderCrashError, "signal 63"),
        (_ending(127), BuilderCrashError, "127"),
        (_ending(0), BuilderCrashError, "without an answer"),
        (_ending(1, _ANSWER), BuilderCrashError, "answered, but then"),
        (_ending(-signal.SIGKILL, _ANSWER, oom_killed=True), BuilderMemoryError, "answered, but then"),
        (_ending(1, _failure("bad_model")), ModelError, "m"),
        (_ending(-signal.SIGSEGV, _failure("builder_memory")), BuilderMemoryError, "m"),
        (_ending(1, _failure("cancelled")), BuilderError, "m"),
        (_ending(1, _failure("no such code")), BuilderError, "m"),
    ],
)
def test_every_other_end_is_an_error(ending: Ending, error: type[TrtfarmError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        ending.result()
    assert type(caught.value) is error


def test_a_builder_that_ran_out_of_memory_need_not_know_what_to_do() -> None:
    with pytest.raises(BuilderMemoryError) as caught:
        _ending(1, replace(_failure("builder_memory"), remedy=None)).result()
    assert "TRTFARM_MEMORY_GIB" in str(caught.value.remedy)


def test_an_interpreter_that_was_not_found_is_explained_when_it_printed_nothing() -> None:
    with pytest.raises(BuilderCrashError) as caught:
        _ending(127).result()
    assert caught.value.cause == "the toolchain's interpreter was not found"
    with pytest.raises(BuilderCrashError) as caught:
        _ending(127, tail="sh: python: not found").result()
    assert caught.value.cause == "sh: python: not found"


def test_the_kernel_counts_its_kills() -> None:
    assert oom_kills() >= 0
