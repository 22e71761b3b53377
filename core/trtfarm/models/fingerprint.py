"""Fingerprints of a model: its structure, its weights, and both.

They are of the model with its functions written out (`trtfarm.models.functions`), where that can be done.

`graph_digest` covers the canonical encoding of everything that can change what an engine computes or how it is called:
IR version, operator sets, graphs, nodes in their order with names and attributes, inputs, outputs, inferred shapes,
functions, and of each tensor its name, element type and dimensions. It leaves out: tensors' elements and where they
are stored, doc strings, metadata, producer, the model's own version and domain, and fields unknown to this release.

`weights_digest` covers, for each tensor in the order of the file (in one message nodes' attributes come before
initializers): name, element type, dimensions, and the SHA-256 of its elements as little-endian row-major bytes (of
strings: each preceded by its length in 8 bytes). So it is the same for raw and typed fields, inline and external data.

The farm's copy of a model has what these cover and nothing else: models of equal digests are equal files there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from trtfarm.digests import digest_of_bytes, digest_of_json
from trtfarm.models.encoding import Encoder
from trtfarm.models.messages import Message, Region
from trtfarm.models.schema import SCHEMAS
from trtfarm.models.weights import ModelFiles, Weight

_STRUCTURE = ("dims", "data_type", "name")


def without_elements(tensor: Message) -> Message:
    """A TensorProto without data."""
    return Message(tensor.type, {name: tensor.fields[name] for name in _STRUCTURE if name in tensor.fields})


def graph_digest_of(model: Message) -> str:
    pieces = Encoder(SCHEMAS, {"TensorProto": without_elements}).encode(model)
    return digest_of_bytes(b"".join(part for part in pieces.parts if isinstance(part, bytearray)))


def weights_digest_of(weights: Iterable[Weight], region_digests: dict[Region, str], files: ModelFiles) -> str:
    """Reads all weights; leaves the digest of each region in `region_digests`. Raises MalformedError."""
    return digest_of_json(
        [
            [weight.name, weight.dtype, list(weight.dims), _content_digest(weight.content, region_digests, files)]
            for weight in weights
        ]
    )


def model_digest_of(graph_digest: str, weights_digest: str) -> str:
    return digest_of_json({"graph": graph_digest, "weights": weights_digest})


def _content_digest(
    content: Region | bytes | tuple[bytes, ...], region_digests: dict[Region, str], files: ModelFiles
) -> str:
    if isinstance(content, Region):
        # Tied weights name the same region; a hostile model could name a large one many times.
        if content not in region_digests:
            region_digests[content] = hash_chunks(files.chunks(content))
        return region_digests[content]
    if isinstance(content, bytes):
        return hash_chunks([content])
    return hash_chunks([len(text).to_bytes(8, "little") + text for text in content])


def hash_chunks(chunks: Iterable[bytes]) -> str:
    """SHA-256 of the chunks put together, as hexadecimal digits."""
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()
