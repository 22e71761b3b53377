from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from trtfarm.errors import InputError, TrtfarmError, error_from_dict


def all_errors(root: type[TrtfarmError] = TrtfarmError) -> Iterator[type[TrtfarmError]]:
    # Other test modules may have errors of their own.
    if root.__module__ == TrtfarmError.__module__:
        yield root
        for child in root.__subclasses__():
            yield from all_errors(child)


@pytest.mark.parametrize("kind", list(all_errors()))
def test_an_error_survives_being_data(kind: type[TrtfarmError]) -> None:
    error = kind("what happened", cause="why", remedy="what to do")
    again = error_from_dict(json.loads(json.dumps(error.as_dict())))
    assert type(again) is kind
    assert again.as_dict() == error.as_dict()
    assert str(again) == "what happened\ncause: why\nwhat to do: what to do"


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in all_errors()]
    assert len(codes) == len(set(codes)) > 20


def test_what_is_the_users_fault_is_not_tried_again() -> None:
    assert not any(kind.retryable for kind in all_errors(InputError))


def test_an_error_of_another_release_keeps_its_words() -> None:
    error = error_from_dict({"code": "unheard_of", "message": "what happened", "cause": 7})
    assert type(error) is TrtfarmError
    assert (error.message, error.cause, error.remedy) == ("what happened", None, None)
