"""What names in a model's functions become where a call of them is written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from trtfarm.models import limits
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Message

#: Domain, name and overload of a function.
FunctionKey = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where names stand. `tensor` and `node` give what they are called in the graph; no name ("") stays none.

    `given` are the attributes of the call, with names as they are in the graph; `defaults` those of the function.
    """

    tensor: Callable[[str], str]
    node: Callable[[str], str]
    given: Mapping[str, Message] = field(default_factory=dict)
    defaults: Mapping[str, Message] = field(default_factory=dict)
    #: The functions that are being written out, from the outermost.
    within: tuple[FunctionKey, ...] = ()


class Names:
    """Gives names that nothing else has."""

    def __init__(self, taken: Iterator[str]) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        name = wanted
        while name in self._taken:
            self._last[wanted] = self._last.get(wanted, 1) + 1
            name = f"{wanted}_{self._last[wanted]}"
        if len(name.encode()) > limits.TEXT_BYTES:
            raise MalformedError(f"a name in its functions, written out, is longer than {limits.TEXT_BYTES:,} bytes")
        self._taken.add(name)
        return name


class TensorNames(dict[str, str]):
    """What tensors within a call are called in the graph: those of its inputs and outputs, and new names for others."""

    def __init__(self, label: str, names: Names, bound: Mapping[str, str]) -> None:
        super().__init__(bound)
        self._label = label
        self._names = names

    def __missing__(self, name: str) -> str:
        self[name] = found = self._names.new(f"{self._label}/{name}") if name else ""
        return found
