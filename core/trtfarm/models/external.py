"""External data: weights in files beside the model, which a hostile model may say are anywhere.

A location must be a plain relative path. It is opened from the model's folder one step at a time without following a
symbolic link, and must end at a regular file with a single name: a hard link can show a file of someone else's.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trtfarm.file_errors import remedy_for
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Message
from trtfarm.regular_files import open_below, relative_steps

_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, kw_only=True)
class ExternalReference:
    """Where a tensor says its bytes lie; `length` is None where it does not say how many."""

    location: str
    offset: int
    length: int | None


def external_reference(tensor: Message) -> ExternalReference:
    """The reference that a tensor's `external_data` holds; raises MalformedError."""
    entries: dict[str, str] = {}
    for entry in tensor.messages("external_data"):
        key = entry.text("key")
        if key in entries:
            raise MalformedError(f"{_named(tensor)} gives the {key} of its external data twice")
        entries[key] = entry.text("value")
    location = entries.get("location", "")
    try:
        steps = relative_steps(location)
    except ValueError as error:
        raise MalformedError(
            f"{_named(tensor)} has its data in {location!r}, which {error}",
            remedy="save the model again with its weights beside it (onnx.save with save_as_external_data)",
        ) from None
    return ExternalReference(
        location="/".join(steps),
        offset=_number(entries.get("offset", "0"), "offset", tensor),
        length=_number(entries["length"], "length", tensor) if "length" in entries else None,
    )


def open_external(folder: Path, location: str) -> BinaryIO:
    """The file at a checked location below `folder`; raises MalformedError."""
    try:
        file = open_below(folder, location.split("/"))
    except OSError as error:
        raise _unreadable(folder, location, error) from error
    if os.fstat(file.fileno()).st_nlink == 1:
        return file
    file.close()
    raise MalformedError(
        f"the external data {location!r} is a hard link, so it may be another's file",
        remedy="copy the model and its data to a folder of their own (cp, without -l)",
    )


def _unreadable(folder: Path, location: str, error: OSError) -> MalformedError:
    if error.errno == errno.ENOENT:
        return MalformedError(
            f"its weights are in {location!r}, which is not in {folder}",
            remedy=f"put {location} beside the model, or save the model with its weights inside",
        )
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return MalformedError(
            f"the external data {location!r} is, or is reached through, a symbolic link",
            remedy="copy the model and its data to a folder of their own (cp -rL follows the links)",
        )
    return MalformedError(
        f"the external data {location!r} cannot be read: {error.strerror}",
        remedy=remedy_for(error, "make it a readable file"),
    )


def _number(text: str, what: str, tensor: Message) -> int:
    if not _NUMBER.fullmatch(text):
        raise MalformedError(f"{_named(tensor)} has the external data {what} {text[:40]!r}, which is not a byte count")
    return int(text)


def _named(tensor: Message) -> str:
    return f"the tensor {tensor.text('name')!r}"
