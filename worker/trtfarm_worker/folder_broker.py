"""Kombu's broker in a folder, with messages that are there whole or not at all.

Kombu writes a message under the very name that consumers look for. One of them may take it before it is written, and a
message that cannot be read ends the whole worker: of 3,000 messages to a busy reader, 127 were taken so.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

#: Kombu looks its transports up by these names.
_OURS = "trtfarm_worker.folder_broker:Transport"


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        # No consumer looks there, and it is on the same file system.
        part = Path(self.processed_folder, name)
        try:
            part.write_text(dumps(payload))  # type: ignore[no-untyped-call]
            part.replace(Path(self.data_folder_out, name))
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ChannelError(f"cannot add {name} to the broker's folder") from error


class Transport(filesystem.Transport):
    Channel = Channel


def use_it() -> None:
    """Makes `filesystem://` stand for this transport, in this process."""
    TRANSPORT_ALIASES["filesystem"] = _OURS
