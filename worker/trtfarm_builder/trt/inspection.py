"""What an engine's inspector tells of it."""

import json
from typing import Any, Dict, List

from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.engine_layers import layers_from_json


def layers_of(engine: Any) -> List[Dict[str, Any]]:
    """The engine's layers; see `layers_from_json`."""
    information = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    # Layer names are the model's, and may hold what JSON would have escaped.
    return layers_from_json(json.loads(information, strict=False))
