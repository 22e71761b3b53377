"""What is to be done for a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtfarm.actions import Action


@dataclass(frozen=True, kw_only=True)
class Work:
    """An action and the request of the job that would do it: plain JSON, rows named by id.

    An action that takes no job has its `result` at once.
    """

    action: Action
    request: Mapping[str, Any]
    result: Mapping[str, Any] | None = None
