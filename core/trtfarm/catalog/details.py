"""Everything about one engine or table, for a person or a program that asks for it by id."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.catalog.entries import WARNINGS
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.search import engine_entry, table_entry
from trtfarm.database.engines import EngineRow
from trtfarm.database.inputs import DatasetRow, ModelRow
from trtfarm.database.scales import QuantizationRow, TableRow

#: The word under which engines' facts and tables' rules tell which farm they came from: its key, the bundle, and when
#: they were made there.
IMPORTED = "imported"
#: Facts that only builds on a GPU tell.
_OF_GPU = ("table_reuse", "coverage", "int8_share", "int8_time_share", "warning", "timing_cache_used", "device")


def engine_details(session: Session, text: str, project: str | None = None) -> dict[str, Any]:
    """The engine whose id or digest starts with `text`, with its layers, inputs and outputs, and what it came from."""
    engine = find_one(session, EngineRow, text, project)
    quantization = session.get(QuantizationRow, engine.quantization_id) if engine.quantization_id else None
    return {
        **engine_entry(session, engine, project).as_dict(),
        "profiles": engine.profiles,
        "options": engine.options,
        "key": engine.key,
        "signed_by": engine.signing_key,
        "imported": engine.facts.get(IMPORTED),
        "int8_layers": engine.facts["int8_layers"],
        "layer_count": len(engine.facts["layers"]),
        "io": engine.facts["io"],
        "build_seconds": engine.facts["seconds"],
        **{name: engine.facts[name] for name in _OF_GPU if engine.facts.get(name) is not None},
        "left_in_float": quantization.facts.get("left", []) if quantization else [],
        "search": quantization.facts.get("search") if quantization else None,
        "left_in_float32": quantization.facts.get("left_in_float32", []) if quantization else [],
        "layers": engine.facts["layers"],
    }


def table_details(session: Session, text: str, project: str | None = None) -> dict[str, Any]:
    """The table whose id or digest starts with `text`, with its rule, its data and its scales."""
    table = find_one(session, TableRow, text, project)
    model = session.scalars(select(ModelRow).where(ModelRow.id == table.model_id)).one()
    dataset = session.get(DatasetRow, table.dataset_id) if table.dataset_id else None
    return {
        **table_entry(table, model).as_dict(),
        "rule": {name: value for name, value in table.rule.items() if name != WARNINGS},
        "before_fusion": table.before_fusion,
        "device": table.device,
        "dataset": {"digest": dataset.digest, "source": dataset.source, "samples": dataset.samples}
        if dataset
        else None,
        "restamped_from": table.parent_id,
        "imported": table.rule.get(IMPORTED),
        "key": table.key,
        "scales": table.scales,
    }
