"""What clients call things: an id, a digest, the start of one, or a word of their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import StringConstraints

#: Never joined to a path of the server's; the pattern only keeps nonsense from the database.
Name = Annotated[str, Path(pattern=r"^[0-9A-Za-z_:.-]{1,100}$", description="An id or a digest, or its start.")]

DigestText = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
#: A row, or a version, in a document.
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
