"""What documents that clients send have in common, beyond what their fields say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, model_validator

from trtfarm.digests import canonical_json


def _can_be_written(document: Any) -> Any:
    try:
        canonical_json(document)
    except TypeError:
        return document  # bytes that do not say that they are JSON: it is then told what is expected
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except UnicodeEncodeError:
        raise ValueError("a text in it is not Unicode: half of a surrogate pair stands alone") from None
    return document


#: To be set in the class of a document with free texts: whether all of it can be written again, into keys, rows and
#: answers. Python reads more than that: half of a surrogate pair, and numbers that are infinite.
writable = model_validator(mode="before")(_can_be_written)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("no calendar has that time") from None


#: A time with its zone, as UTC: databases compare it so, and the first and last days of the calendar have no other.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
