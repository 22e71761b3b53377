"""Decoding images for a data set, in a builder process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from trtfarm.datasets.images import DecodeImages
from trtfarm.settings import Settings
from trtfarm_worker.builder.supervisor import Listener, run_builder
from trtfarm_worker.direct import reference_request


def image_decoder(settings: Settings, folder: Path, on_event: Listener) -> DecodeImages:
    """A function that decodes one input's images into a file below `folder`, which the caller removes."""

    def decode(args: dict[str, Any]) -> Path:
        scratch = Path(tempfile.mkdtemp(prefix="images-", dir=folder))
        answer = run_builder(reference_request(settings, "images", args, scratch), on_event=on_event)
        return answer.file("output")

    return decode
