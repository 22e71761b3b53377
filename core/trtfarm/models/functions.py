"""A model's own functions, written out where they are called, so that whatever looks at the model sees one flat graph.

TensorRT before 10 has no functions, and a calibration table can only name tensors of the graph. A name within a call
becomes `<call>/<name>`, the call being its node's name, or its first output where that has none; so names depend on
nothing but the model. Inputs and outputs of a call keep the names that they have outside.

Functions whose operator sets are of other versions than the model's stay as they are, with all others: which nodes
mean the same in both versions, or how to convert them, only ONNX's own schemas tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trtfarm.models import limits
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Message, Value
from trtfarm.models.scopes import FunctionKey, Names, Scope, TensorNames

#: Message type -> its fields that name tensors.
_TENSORS = {"NodeProto": ("input", "output"), "ValueInfoProto": ("name",)}
#: Remarks about tensors by name, which do not change what is computed. Those within functions are left out.
_REMARKS = ("quantization_annotation", "device_configurations")
_OUTSIDE = Scope(tensor=str, node=str)
_REMEDY = "export it without functions, or write them out (onnx.inliner.inline_local_functions)"


def written_out(model: Message) -> Message:
    """The ModelProto without functions; itself where it has none, or one that does not fit the model's operator sets.

    Raises MalformedError for functions that call themselves, or that make more than the limits allow.
    """
    functions = _functions(model)
    imports = _imports(model, functions) if functions else None
    if imports is None:
        return model
    writer = _Writer(functions, model)
    fields: dict[str, list[Value]] = {}
    for name, values in model.fields.items():
        if name in ("graph", "training_info"):
            fields[name] = [writer.copy(message, _OUTSIDE, 2) for message in model.messages(name)]
        elif name != "functions":
            fields[name] = values
    gone = {domain for domain, _, _ in functions} - writer.domains - {""}
    fields["opset_import"] = [entry for domain, entry in imports.items() if domain not in gone]
    return Message(model.type, fields)


def _functions(model: Message) -> dict[FunctionKey, Message]:
    functions = {_key(function, "name"): function for function in model.messages("functions")}
    if len(functions) < len(model.messages("functions")):
        raise MalformedError("two of its functions have the same name")
    return functions


def _imports(model: Message, functions: Mapping[FunctionKey, Message]) -> dict[str, Message] | None:
    """By domain, the operator sets of the model and of the functions that it calls; None where two versions differ."""
    imports = {_domain(entry): entry for entry in model.messages("opset_import")}
    for function in _called(model, functions):
        for entry in function.messages("opset_import"):
            if imports.setdefault(_domain(entry), entry).integer("version") != entry.integer("version"):
                return None
    return imports


def _called(model: Message, functions: Mapping[FunctionKey, Message]) -> Iterator[Message]:
    """The functions that are called from the graph, or from each other then; each once."""
    called: set[FunctionKey] = set()
    pending = [part for name in ("graph", "training_info") for part in model.messages(name)]
    while pending:
        for node in pending.pop().nested():
            if node.type == "NodeProto" and (key := _key(node, "op_type")) in functions and key not in called:
                called.add(key)
                pending.append(functions[key])
                yield functions[key]


def _domain(message: Message) -> str:
    domain = message.text("domain")
    return "" if domain == "ai.onnx" else domain


def _key(message: Message, name: str) -> FunctionKey:
    return _domain(message), message.text(name), message.text("overload")


class _Writer:
    """Copies messages with calls written out, and counts what that makes. `domains` are those of nodes in the copy."""

    def __init__(self, functions: Mapping[FunctionKey, Message], model: Message) -> None:
        outside = [message for name, values in model.fields.items() if name != "functions" for message in _all(values)]
        self._functions = functions
        self._tensors = Names(name for message in outside for name in _tensor_names(message))
        self._nodes = Names(message.text("name") for message in outside if message.type == "NodeProto")
        self._left = {"nodes": limits.NODES, "fields": limits.FIELDS, "bytes": limits.WRITTEN_OUT_BYTES}
        self.domains: set[str] = set()

    def copy(self, message: Message, scope: Scope, depth: int) -> Message:
        """The message with the names that its scope gives. Nothing in it is shared: tensors are told apart by it."""
        if depth > limits.DEPTH:
            raise MalformedError(f"messages are nested more than {limits.DEPTH} deep", remedy=_REMEDY)
        fields: dict[str, list[Value]] = {}
        for name, values in message.fields.items():
            self._spend("fields", len(values))
            if name in _REMARKS and scope.within:
                continue
            if name in _TENSORS.get(message.type, ()):
                fields[name] = [scope.tensor(text) for text in message.texts(name)]
            elif message.type == "NodeProto" and name == "attribute":
                fields[name] = list(self._attributes(message, scope, depth + 1).values())
            elif message.type == "GraphProto" and name == "node":
                self._write(message, scope, depth + 1, fields.setdefault(name, []))
            else:
                fields[name] = [self.copy(v, scope, depth + 1) if isinstance(v, Message) else v for v in values]
            self._spend("bytes", sum(len(value) for value in fields[name] if isinstance(value, str | bytes)))
        copy = Message(message.type, fields)
        for tensor in _initializers(copy):
            tensor.fields["name"] = [scope.tensor(tensor.text("name"))]
        return copy

    def _write(self, body: Message, scope: Scope, depth: int, into: list[Value]) -> None:
        """Adds the nodes of a graph or function, with those of calls in place of calls; they are `depth` deep."""
        for node in body.messages("node"):
            self._spend("nodes", 1)
            if (key := _key(node, "op_type")) in self._functions:
                self._call(node, key, scope, depth, into)
                continue
            self.domains.add(key[0])
            copy = self.copy(node, scope, depth)
            if name := node.text("name"):
                copy.fields["name"] = [scope.node(name)]
            into.append(copy)

    def _call(self, node: Message, key: FunctionKey, scope: Scope, depth: int, into: list[Value]) -> None:
        function = self._functions[key]
        if key in scope.within:
            raise MalformedError(f"its function {key[1]!r} calls itself", remedy="export it without recursion")
        if len(scope.within) >= limits.FUNCTION_DEPTH:
            raise MalformedError(f"its functions are nested more than {limits.FUNCTION_DEPTH} deep", remedy=_REMEDY)
        outputs = [scope.tensor(name) for name in node.texts("output")]
        bound, passed = _bound(function, [scope.tensor(name) for name in node.texts("input")], outputs)
        label = scope.node(name) if (name := node.text("name")) else next(filter(None, outputs), key[1])
        inside = Scope(
            tensor=TensorNames(label, self._tensors, bound).__getitem__,
            node=lambda name: self._nodes.new(f"{label}/{name}"),
            given=self._attributes(node, scope, depth + 1),
            defaults={attribute.text("name"): attribute for attribute in function.messages("attribute_proto")},
            within=(*scope.within, key),
        )
        self._write(function, inside, depth, into)
        for output, source in passed.items():
            self._spend("nodes", 1)
            self.domains.add("")
            into.append(Message("NodeProto", {"input": [source], "output": [output], "op_type": ["Identity"]}))

    def _attributes(self, node: Message, scope: Scope, depth: int) -> dict[str, Message]:
        """A node's attributes by name. One that refers to what the call and its function do not give is left out."""
        attributes = {}
        for attribute in node.messages("attribute"):
            name, reference = attribute.text("name"), attribute.text("ref_attr_name")
            if not reference:
                attributes[name] = self.copy(attribute, scope, depth)
                continue
            if reference in scope.given:
                attributes[name] = self.copy(scope.given[reference], _OUTSIDE, depth)
            elif reference in scope.defaults:
                attributes[name] = self.copy(scope.defaults[reference], scope, depth)
            if name in attributes:
                attributes[name].fields["name"] = [name]
        return attributes

    def _spend(self, what: str, number: int) -> None:
        self._left[what] -= number
        if self._left[what] < 0:
            raise MalformedError(f"its functions make too many {what} where they are called", remedy=_REMEDY)


def _bound(function: Message, given: Sequence[str], wanted: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What a function's inputs and outputs are called outside; and {output: source} for inputs that it hands on.

    An input that the call leaves out is called nothing, as optional inputs of nodes are.
    """
    inputs, outputs = function.texts("input"), function.texts("output")
    if len(given) > len(inputs) or len(wanted) > len(outputs):
        raise MalformedError(f"a call gives its function {function.text('name')!r} more than it takes")
    if len({*inputs}) < len(inputs) or len({*outputs}) < len(outputs):
        raise MalformedError(f"its function {function.text('name')!r} has an input or output twice")
    bound = {name: given[number] if number < len(given) else "" for number, name in enumerate(inputs) if name}
    passed = {}
    for name, output in zip(outputs, wanted, strict=False):
        if output and name in bound:
            passed[output] = bound[name]
        elif output:
            bound[name] = output
    return bound, passed


def _all(values: Sequence[Value]) -> Iterator[Message]:
    for value in values:
        if isinstance(value, Message):
            yield from value.nested()


def _tensor_names(message: Message) -> Iterator[str]:
    for name in _TENSORS.get(message.type, ()):
        yield from message.texts(name)
    for tensor in _initializers(message):
        yield tensor.text("name")


def _initializers(message: Message) -> Iterator[Message]:
    if message.type == "GraphProto":
        yield from message.messages("initializer")
        for sparse in message.messages("sparse_initializer"):
            yield from sparse.messages("values")
