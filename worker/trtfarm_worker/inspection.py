"""Whether ONNX's checker and ONNX Runtime take a model, found out in a builder process before anything relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm_worker.builder.supervisor import Listener, run_builder
from trtfarm_worker.direct import reference_request


def inspected_copy(settings: Settings, model: Model, folder: Path, on_event: Listener) -> Sequence[Path]:
    """The farm's copy of a model in the existing `folder`; raises ModelError for operators that nobody knows, say."""
    copy, scratch = folder / "model", folder / "inspection"
    copy.mkdir()
    files = model.copy_to(copy)
    run_builder(reference_request(settings, "inspect", {"model": str(files[0])}, scratch), on_event=on_event)
    return files
