"""Files that are often handed in as models and are none, told apart by their first bytes."""

from __future__ import annotations

from trtfarm.models.decoding import Buffer
from trtfarm.models.malformed import MalformedError

_EXPORT = "export it to ONNX first"
_HEAD = 64
#: First bytes, what they tell, what to do.
_KNOWN = (
    (b"version https://git-lfs", "it is a Git LFS pointer, the model itself was not fetched", "run: git lfs pull"),
    (b"\x89PNG", "it is a PNG image", None),
    (b"\xff\xd8\xff", "it is a JPEG image", None),
    (b"PK\x03\x04", "it is a zip archive, perhaps a PyTorch checkpoint", "unpack it, or use torch.onnx.export"),
    (b"\x1f\x8b", "it is compressed with gzip", "unpack it with gunzip"),
    (b"\x89HDF", "it is an HDF5 file, perhaps a Keras model", f"{_EXPORT} (tf2onnx)"),
    (b"\x80\x02", "it is a Python pickle, perhaps a PyTorch checkpoint", "use torch.onnx.export"),
    (b"\x80\x04", "it is a Python pickle", _EXPORT),
    (b"\x93NUMPY", "it is a NumPy array", "hand it in as data: --data"),
    (b"ftrt", "it is a TensorRT engine", "hand in the ONNX model that it was built from"),
    (b"\x7fELF", "it is a program or library", None),
    (b"%PDF", "it is a PDF", None),
)
#: The same, at byte 4: FlatBuffers.
_KNOWN_FLATBUFFERS = (
    (b"TFL3", "it is a TensorFlow Lite model", f"{_EXPORT} (tf2onnx)"),
    (b"ORTM", "it is in ONNX Runtime's own format", "hand in the .onnx that it was made from"),
)


def check_is_model(data: Buffer) -> None:
    """Raises MalformedError for a file that is plainly something else."""
    head = data[:_HEAD]
    for start, what, remedy in _KNOWN:
        if head.startswith(start):
            raise MalformedError(what, remedy=remedy or "hand in the .onnx file")
    for start, what, remedy in _KNOWN_FLATBUFFERS:
        if head.startswith(start, 4):
            raise MalformedError(what, remedy=remedy)
    if head.lstrip()[:1] in (b"<", b"{") and _is_text(head):
        raise MalformedError("it is text (HTML or JSON)", remedy="check the download: this may be an error page")
    if _is_text(head):
        raise MalformedError("it is text", remedy="hand in the .onnx file")


def _is_text(head: bytes) -> bool:
    """A model starts with the tag and value of its IR version, which are control characters."""
    return all(byte >= ord(" ") or byte in b"\t\r\n" for byte in head)
