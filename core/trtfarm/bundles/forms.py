"""What each kind of row may hold in a manifest: its fields, and what others rely on when they show or use it."""

from __future__ import annotations

from collections.abc import Mapping

from trtfarm.bundles.checks import (
    LARGEST_SIZE,
    Check,
    both,
    count,
    either,
    having,
    is_capability,
    is_digest_text,
    is_number,
    is_object,
    is_share,
    is_switch,
    is_time,
    is_version,
    listed,
    mapped,
    matching,
    maybe,
    one_of,
    text,
    word,
)
from trtfarm.calibrators import Calibrator
from trtfarm.catalog.entries import WARNINGS
from trtfarm.origins import TableOrigin
from trtfarm.precisions import PRECISIONS
from trtfarm.stored_names import STORED_CHARACTERS

Form = Mapping[str, Check]

#: Letters for what it is, and what tells it from others of its kind.
_ID = matching(r"[a-z][0-9a-z]{2}_[0-9a-z]{1,36}")
#: Becomes part of a file's name where an engine is pulled.
_NAME = both(word(STORED_CHARACTERS), lambda name: "/" not in name)
_LONG = text(100_000)
_DIGEST, _DIGESTS = is_digest_text, maybe(is_digest_text)
_DIMENSION = either(count(LARGEST_SIZE), word(200))
_TENSORS = listed(having(name=word(10_000), dtype=word(40), dims=maybe(listed(maybe(_DIMENSION)))))
_ARRAY = having(
    {"constant": maybe(is_number)}, blob=_DIGEST, dtype=word(40), shape=both(listed(count(LARGEST_SIZE)), bool)
)
_SHAPE = listed(count(LARGEST_SIZE))
_PORTS = listed(having(name=word(10_000), mode=word(40), dtype=word(40), shape=listed(is_number)))
_DEVICE = having(name=word(100), compute_capability=is_capability)
_COVERAGE = having({"completed": listed(is_object), "harmful": listed(having(tensor=_LONG))})
_LOSS = having(loss=is_number, samples=count())
_SEARCH = having(found=listed(having(node=_LONG)), before=_LOSS, after=_LOSS)
#: Of five classes or fewer there is no Top-5.
_TOPS = having(top1=is_share, top5=maybe(is_share))
_AGREEMENT = either(
    having(equal_share=is_share),
    having(
        cosine_mean=is_number,
        cosine_min=is_number,
        snr_db=maybe(is_number),
        max_abs_error=maybe(is_number),
        broken_samples=count(),
    ),
)
_METRICS = having(
    {"device": _DEVICE},
    samples=count(),
    simulated=is_switch,
    outputs=mapped(_AGREEMENT),
    classification=maybe(having(reference=_TOPS, candidate=_TOPS)),
)
_RULE = having(
    {
        "header": _LONG,
        "cutoff": maybe(both(is_share, bool)),
        "quantile": maybe(both(is_share, bool)),
        "device": maybe(_DEVICE),
        WARNINGS: listed(_LONG),
    }
)
_FACTS_OF_QUANTIZATION = having({"left": listed(is_object), "left_in_float32": listed(is_object), "search": _SEARCH})
_FACTS_OF_ENGINE = having(
    {
        "toolchain": word(100),
        "table_reuse": maybe(_LONG),
        "coverage": maybe(_COVERAGE),
        "int8_share": maybe(is_number),
        "int8_time_share": maybe(is_number),
        "warning": maybe(_LONG),
    },
    layers=listed(is_object),
    int8_layers=count(),
    io=_PORTS,
    seconds=is_number,
)

MODEL: Form = {
    "id": _ID,
    "name": _NAME,
    "names": listed(_NAME),
    "digest": _DIGEST,
    "graph_digest": _DIGEST,
    "weights_digest": _DIGEST,
    "blob": _DIGEST,
    "weights_blob": _DIGESTS,
    "inputs": _TENSORS,
    "outputs": _TENSORS,
    "nodes": count(),
    "size": count(LARGEST_SIZE),
    "created": is_time,
}
DATASET: Form = {
    "id": _ID,
    "name": text(200),
    "digest": _DIGEST,
    "source": maybe(_LONG),
    "samples": count(),
    # A list, because their order counts, and an object's does not.
    "inputs": both(listed(both(having(name=word(10_000)), _ARRAY)), bool),
    "labels": maybe(_ARRAY),
    "spec": maybe(mapped(is_object)),
    "created": is_time,
}
TABLE: Form = {
    "id": _ID,
    "key": _DIGESTS,
    "model_id": _ID,
    "dataset_id": maybe(_ID),
    "calibrator": one_of(*Calibrator, "unknown"),
    "rule": _RULE,
    "batch_size": maybe(count(least=1)),
    "before_fusion": is_switch,
    "tensorrt": maybe(is_version),
    "origin": one_of(*TableOrigin),
    "portable": is_switch,
    "device": maybe(is_capability),
    "blob": _DIGEST,
    "scales_digest": _DIGEST,
    "created": is_time,
}
QUANTIZATION: Form = {
    "id": _ID,
    "key": _DIGEST,
    "model_id": _ID,
    "table_id": maybe(_ID),
    "options": is_object,
    "blob": _DIGEST,
    "facts": _FACTS_OF_QUANTIZATION,
    "created": is_time,
}
ENGINE: Form = {
    # By these letters searches tell what of a project's is an engine (`catalog/visibility.py`).
    "id": matching(r"eng_[0-9a-z]{1,36}"),
    "key": _DIGEST,
    "model_id": _ID,
    "quantization_id": maybe(_ID),
    "table_id": maybe(_ID),
    "precision": one_of(*PRECISIONS),
    "calibrator": maybe(one_of(*Calibrator, "unknown")),
    "tensorrt": is_version,
    "toolchain": word(100),
    "compute_capability": is_capability,
    "gpu": maybe(word(100)),
    "profiles": mapped(having(min=_SHAPE, opt=_SHAPE, max=_SHAPE)),
    "options": is_object,
    "blob": _DIGEST,
    "log_blob": _DIGESTS,
    "size": count(LARGEST_SIZE),
    "facts": _FACTS_OF_ENGINE,
    "signature": word(100),
    "signing_key": word(80),
    "labels": listed(matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")),
    "created": is_time,
}
RECORDING: Form = {
    "id": _ID,
    "key": _DIGEST,
    "model_id": _ID,
    "dataset_id": _ID,
    "outputs": both(mapped(_ARRAY), bool, lambda outputs: all(map(word(10_000), outputs))),
    "created": is_time,
}
VERIFICATION: Form = {
    "id": _ID,
    "key": _DIGEST,
    "model_id": _ID,
    "quantization_id": maybe(_ID),
    "engine_id": maybe(_ID),
    "dataset_id": _ID,
    "simulated": is_switch,
    "metrics": _METRICS,
    "created": is_time,
}
