"""What a signature says of an engine: its bytes, and what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from trtfarm.digests import canonical_json, is_digest
from trtfarm.errors import SignatureError

if TYPE_CHECKING:
    from trtfarm.database.schema import EngineRow

#: A signature made for anything else, now or later, must not pass for one of an engine.
_DOMAIN = b"trtfarm engine, statement 1\n"
_AGAIN = "pull the engine again: trtfarm engines pull"
#: All that built engines before rows told which kind of toolchain did.
_FIRST_KIND = "tensorrt-rtx"
#: What the statement and the row call alike.
_NAMED_ALIKE = ("size", "key", "tensorrt", "compute_capability", "gpu", "precision", "profiles")


@dataclass(frozen=True, kw_only=True)
class EngineStatement:
    """The signed words. A plan's digest alone would let a valid engine be passed off as one for another GPU."""

    #: Digest of the plan, and its size in bytes.
    plan: str
    size: int
    #: Key of the build, which covers model, options and data.
    key: str
    #: Kind of the toolchain, and its exact version.
    toolchain: str
    tensorrt: str
    compute_capability: str
    #: Model name of the GPU it was tuned on; None when built without one.
    gpu: str | None
    precision: str
    #: {input: {min, opt, max}}, and [{name, mode, dtype, shape}].
    profiles: Mapping[str, Any]
    io: list[dict[str, Any]]

    @classmethod
    def of_row(cls, row: EngineRow) -> EngineStatement:
        return cls.of_values({name: getattr(row, name) for name in ("blob", "facts", *_NAMED_ALIKE)})

    @classmethod
    def of_values(cls, row: Mapping[str, Any]) -> EngineStatement:
        """Of the row that will have these values."""
        return cls(
            plan=row["blob"],
            toolchain=row["facts"].get("toolchain", _FIRST_KIND),
            io=row["facts"]["io"],
            **{name: row[name] for name in _NAMED_ALIKE},
        )

    @classmethod
    def of_dict(cls, data: object) -> EngineStatement:
        """Reads what `as_dict` made; raises SignatureError for anything else. Nothing in it is true before a check."""
        names = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != names:
            cause = f"they are {', '.join(sorted(names))}"
            raise SignatureError("the statement has not the fields of one", cause=cause, remedy=_AGAIN)
        statement = cls(**data)
        texts = (statement.plan, statement.key, statement.toolchain, statement.tensorrt, statement.compute_capability)
        good = (
            all(isinstance(text, str) for text in (*texts, statement.precision))
            and is_digest(statement.plan)
            and type(statement.size) is int
            and isinstance(statement.gpu, str | None)
            and isinstance(statement.profiles, dict)
            and isinstance(statement.io, list)
        )
        if not good:
            raise SignatureError("the statement has fields of other types than it should", remedy=_AGAIN)
        return statement

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def message(self) -> bytes:
        """The bytes that are signed."""
        try:
            return _DOMAIN + canonical_json(self.as_dict())
        except (ValueError, RecursionError) as error:
            raise SignatureError("the statement cannot be read", cause=str(error), remedy=_AGAIN) from error
