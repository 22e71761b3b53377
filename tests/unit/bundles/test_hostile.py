"""Bundles of a trusted farm that hold what no farm would: refused with a word for it, and nothing of them comes in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.bundle_stock import Stock, taken
from tests.unit.bundles.conftest import NewFarm
from tests.unit.bundles.forging import END, Change, Forged, entry, head, set_to, within
from trtfarm.blobs.uploads import LARGEST_BYTES
from trtfarm.database.schema import BlobRow, EngineRow, HolderRow, ModelRow
from trtfarm.digests import canonical_json, digest_of_bytes
from trtfarm.errors import BundleError, ModelError, SignatureError, TableError, TrtfarmError
from trtfarm.farm import Farm
from trtfarm.tables.reading import MAX_BYTES

DIGEST = digest_of_bytes(b"something else")
BIG = 1 << 70


def refused(wary: Farm, data: bytes, kind: type[TrtfarmError] = BundleError, cause: str = "") -> TrtfarmError:
    with pytest.raises(kind) as caught:
        taken(wary, data)
    error = caught.value
    assert type(error) is kind
    assert error.remedy
    assert cause in (error.cause or "") + error.message
    with wary.database.read() as session:
        assert [session.query(rows).count() for rows in (ModelRow, EngineRow, BlobRow, HolderRow)] == [0, 0, 0, 0]
    return error


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (set_to("recordings", outputs={}), "its outputs"),
        (set_to("recordings", outputs=[]), "its outputs"),
        (set_to("recordings", dataset_id="dat_2"), "which is not there"),
        (within("recordings", "outputs", other={"blob": DIGEST, "dtype": "float32", "shape": [50]}), "is missing"),
        (lambda forged: _of_array(forged, shape=[49, 10]), "is another array"),
        (lambda forged: _of_array(forged, shape=[50, 11]), "is another array"),
        (lambda forged: _of_array(forged, dtype="float16"), "is another array"),
        (lambda forged: _of_array(forged, dtype=5), "its outputs"),
        (lambda forged: forged.manifest.update(version=1), "the fields of one"),
        (lambda forged: forged.manifest.update(version=3), "version 3"),
        (lambda forged: forged.manifest.update(version=True), "version True"),
        (lambda forged: forged.manifest.update(recordings=[]), "nothing in it is of version 2"),
    ],
)
def test_recordings_that_no_farm_would_make(
    giver: Stock, wary: Farm, recorded: bytes, change: Change, cause: str
) -> None:
    forged = Forged.of(giver.farm, recorded)
    change(forged)
    refused(wary, forged.bytes(), cause=cause)


def _of_array(forged: Forged, **values: Any) -> None:
    forged.row("recordings")["outputs"]["prob"].update(values)


def test_the_true_one_comes(giver: Stock, taker: Farm, true: bytes) -> None:
    forged = Forged.of(giver.farm, true)
    forged.seal()
    assert forged.bytes() == true
    assert taken(taker, true).as_dict()["new"]["engines"] == [giver.engine]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (set_to("models", name="../../home/evil"), "its name"),
        (set_to("models", name="two\nlines"), "its name"),
        (set_to("models", names=["a/b"]), "its names"),
        (set_to("models", id="mod_1; DROP TABLE models"), "its id"),
        (set_to("models", id="m" * 50), "its id"),
        (set_to("models", nodes=-1), "its nodes"),
        (set_to("models", nodes=1 << 31), "its nodes"),
        (set_to("models", nodes=True), "its nodes"),
        (set_to("models", size=1 << 63), "cannot be stored"),
        (set_to("models", inputs=[{"name": "data"}]), "its inputs"),
        (set_to("models", digest="sha256:" + 64 * "G"), "its digest"),
        (set_to("models", created="yesterday"), "its created"),
        (set_to("models", created="2026-01-01T00:00:00"), "its created"),
        (set_to("models", more=1), "the fields of one"),
        (set_to("datasets", digest=DIGEST), "its digest is another one's"),
        (set_to("datasets", samples=7), "its arrays"),
        (set_to("datasets", inputs=[]), "its inputs"),
        (set_to("datasets", name="nul\0"), "cannot be stored"),
        (set_to("tables", calibrator="magic"), "its calibrator"),
        (set_to("tables", calibrator="unknown"), "nothing tells its calibrator"),
        (set_to("tables", batch_size=0), "its batch_size"),
        (set_to("tables", tensorrt="8.5.3.1; rm -rf"), "its tensorrt"),
        (set_to("tables", portable=False), "holds everywhere"),
        (set_to("tables", device="sm_86"), "holds everywhere"),
        (set_to("tables", model_id="mod_2"), "which is not there"),
        (set_to("tables", dataset_id=None, model_id=None), "its model_id"),
        (within("tables", "rule", cutoff=0), "its rule"),
        (within("tables", "rule", device={"name": "GPU"}), "its rule"),
        (set_to("quantizations", key=None), "its key"),
        (set_to("quantizations", options=[]), "its options"),
        (within("quantizations", "facts", search={"found": 3}), "its facts"),
        (set_to("engines", precision="int4"), "its precision"),
        (set_to("engines", compute_capability="sm89"), "its compute_capability"),
        (set_to("engines", size=1), "its size is not that of its plan"),
        (set_to("engines", labels=["a label"]), "its labels"),
        (set_to("engines", profiles={"data": {"min": [1]}}), "its profiles"),
        (set_to("engines", gpu="x" * 101), "its gpu"),
        (set_to("engines", signature=None), "its signature"),
        (set_to("engines", log_blob=DIGEST), f"{DIGEST} is missing"),
        (within("engines", "facts", layers=None), "its facts"),
        (within("engines", "facts", int8_layers="many"), "its facts"),
        (within("engines", "facts", seconds=BIG), "cannot be stored"),
        (set_to("verifications", simulated=False), "of a rewritten model"),
        (set_to("verifications", quantization_id=None), "of a rewritten model"),
        (within("verifications", "metrics", simulated=False), "its metrics"),
        (within("verifications", "metrics", outputs={"prob": {"cosine_mean": "high"}}), "its metrics"),
        (within("verifications", "metrics", classification={"reference": {"top1": 2}}), "its metrics"),
        (lambda forged: forged.manifest["engines"].append(forged.row("engines")), "the same id"),
        (lambda forged: forged.manifest["tables"].append({**forged.row("tables"), "id": "tab_2"}), "the same key"),
        (lambda forged: forged.manifest.pop("tables"), "the fields of one"),
        (lambda forged: forged.manifest.update(engines={}), "engines is no list"),
        (lambda forged: forged.manifest.update(engines=[3]), "engine 1 has not the fields"),
        (lambda forged: forged.manifest["blobs"].pop(), "is missing"),
        (lambda forged: forged.manifest["blobs"].append(forged.manifest["blobs"][-1]), "told twice"),
        (lambda forged: forged.manifest["blobs"].reverse(), "out of order"),
        (lambda forged: forged.manifest["blobs"][0].update(size=-1), "not told as files are"),
        (lambda forged: forged.manifest["blobs"][0].update(size=LARGEST_BYTES + 1), "not told as files are"),
        (lambda forged: forged.manifest["blobs"][0].update(digest="../../evil"), "not told as files are"),
        (lambda forged: forged.manifest["blobs"].insert(0, {"digest": "sha256:" + 64 * "0", "size": 0}), "by nothing"),
        (lambda forged: forged.manifest.update(format="trtfarm order"), "its manifest is none"),
    ],
)
def test_rows_that_no_farm_has(giver: Stock, wary: Farm, true: bytes, change: Change, cause: str) -> None:
    forged = Forged.of(giver.farm, true)
    change(forged)
    refused(wary, forged.bytes(), cause=cause)


@pytest.mark.parametrize("version", [0, 3, "1", None, True, 1.5])
def test_another_version_is_told(giver: Stock, wary: Farm, true: bytes, version: Any) -> None:
    forged = Forged.of(giver.farm, true)
    forged.manifest["version"] = version
    error = refused(wary, forged.bytes(), cause="this release reads versions 1 to 2")
    assert "upgrade" in (error.remedy or "")


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"format":"trtfarm bundle","version":NaN}',
        b'{"format":"trtfarm bundle","format":"trtfarm bundle"}',
        b"1" * 10_000,
        b'{"format": "trtfarm bundle","version":1}',
        b'"\\ud800"',
        b"\xff\xfe",
    ],
)
def test_a_manifest_that_is_none(giver: Stock, wary: Farm, manifest: bytes) -> None:
    refused(wary, head(giver.farm, manifest) + END)


def test_the_bundle_of_another_key(giver: Stock, wary: Farm, new_farm: NewFarm, true: bytes) -> None:
    error = refused(wary, Forged.of(new_farm(), true).bytes(), SignatureError, "the key is ed25519:")
    assert "trtfarm keys trust" in (error.remedy or "")


def test_a_manifest_that_was_changed_after_it_was_signed(giver: Stock, wary: Farm, true: bytes) -> None:
    refused(wary, true.replace(b'"precision":"int8+fp16"', b'"precision":"int8+fp32"'), SignatureError, "does not fit")


@pytest.mark.parametrize("signature", [b"", b"{}", b"[]", b'{"key":1,"signature":2,"version":1}', b"\xff"])
def test_a_signature_that_is_none(giver: Stock, wary: Farm, true: bytes, signature: bytes) -> None:
    manifest = canonical_json(Forged.of(giver.farm, true).manifest)
    data = entry("manifest.json", manifest) + entry("manifest.sig", signature) + END
    refused(wary, data, cause="its signature cannot be read")


def test_an_engine_that_was_signed_as_something_else(giver: Stock, taker: Farm, true: bytes) -> None:
    """The bundle's own signature is right: a trusted farm passes an engine off as one for another GPU."""
    forged = Forged.of(giver.farm, true)
    forged.row("engines")["compute_capability"] = "sm_120"
    refused(taker, forged.bytes(), SignatureError, f"engine {giver.engine} does not fit")
    forged.seal()
    assert taken(taker, forged.bytes()).as_dict()["new"]["engines"] == [giver.engine]


@pytest.mark.parametrize("how", ["other bytes", "left out", "twice", "in another order", "longer", "shorter"])
def test_files_that_the_manifest_does_not_tell(giver: Stock, wary: Farm, true: bytes, how: str) -> None:
    forged = Forged.of(giver.farm, true)
    names = list(forged.files)
    first, second = names[:2]
    content = forged.files[first]
    changed = {
        "other bytes": {**forged.files, first: bytes([content[0] ^ 1]) + content[1:]},
        "left out": {name: forged.files[name] for name in names[1:]},
        "in another order": {name: forged.files[name] for name in (second, first, *names[2:])},
        "longer": {**forged.files, first: content + b"x"},
        "shorter": {**forged.files, first: content[:-1]},
    }
    if how == "twice":
        data = forged.bytes()
        whole = entry(first, content)
        refused(wary, data.replace(whole, whole * 2), cause="is damaged")
        return
    forged.files = changed[how]
    refused(wary, forged.bytes(), cause="is damaged")


def _text(forged: Forged, text: bytes) -> None:
    """Another text as the table's, told in the manifest as it is."""
    _replace(forged, forged.row("tables")["blob"], text)
    forged.row("tables")["blob"] = digest_of_bytes(text)


def _replace(forged: Forged, digest: str, content: bytes) -> None:
    forged.files.pop(f"blobs/{digest.replace(':', '/')}")
    new = digest_of_bytes(content)
    forged.files[f"blobs/{new.replace(':', '/')}"] = content
    forged.files = dict(sorted(forged.files.items()))
    blobs = [blob for blob in forged.manifest["blobs"] if blob["digest"] != digest]
    forged.manifest["blobs"] = sorted([*blobs, {"digest": new, "size": len(content)}], key=lambda blob: blob["digest"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"TRT-8503-MinMaxCalibration\ndata: 00000000\n", TableError),
        (b"\x00\xff" * 100, TableError),
        (b"TRT-8503-MinMaxCalibration\ndata: 3c010204\n", BundleError),
        (b"TRT-8503-EntropyCalibration2\ndata: 3c010204\n", BundleError),
    ],
)
def test_a_table_that_is_another_one(
    giver: Stock, wary: Farm, true: bytes, text: bytes, kind: type[TrtfarmError]
) -> None:
    forged = Forged.of(giver.farm, true)
    _text(forged, text)
    refused(wary, forged.bytes(), kind, "its scales are others" if kind is BundleError else "table")


@pytest.mark.parametrize("header", [b"TRT-8503-EntropyCalibration2", b"TRT-100300-MinMaxCalibration"])
def test_a_table_with_another_header(giver: Stock, wary: Farm, true: bytes, header: bytes) -> None:
    forged = Forged.of(giver.farm, true)
    text = forged.files[f"blobs/{forged.row('tables')['blob'].replace(':', '/')}"]
    _text(forged, text.replace(b"TRT-8503-MinMaxCalibration", header))
    refused(wary, forged.bytes(), cause="its text begins with")


@pytest.mark.parametrize("wrong", [0, 1])
def test_every_table_of_a_text_is_looked_at(giver: Stock, wary: Farm, true: bytes, wrong: int) -> None:
    """Those of two models may have the same one."""
    forged = Forged.of(giver.farm, true)
    model, table = forged.row("models"), forged.row("tables")
    forged.manifest["models"].append({**model, "id": "mod_2", "digest": DIGEST, "blob": DIGEST})
    forged.manifest["tables"].append({**table, "id": "tab_2", "key": DIGEST, "model_id": "mod_2"})
    forged.manifest["tables"][wrong]["scales_digest"] = DIGEST
    refused(wary, forged.bytes(), cause="its scales are others")


def test_a_text_that_is_too_large_is_not_read(giver: Stock, wary: Farm, true: bytes) -> None:
    forged = Forged.of(giver.farm, true)
    [blob] = [blob for blob in forged.manifest["blobs"] if blob["digest"] == forged.row("tables")["blob"]]
    blob["size"] = MAX_BYTES + 1
    refused(wary, forged.bytes(), cause=f"its text has {MAX_BYTES + 1:,} bytes")


def test_a_model_that_is_none(giver: Stock, wary: Farm, true: bytes) -> None:
    forged = Forged.of(giver.farm, true)
    _replace(forged, forged.row("models")["blob"], b"\x08\x07" * 50)
    forged.row("models")["blob"] = digest_of_bytes(b"\x08\x07" * 50)
    refused(wary, forged.bytes(), ModelError)
    assert list((wary.settings.home / "scratch").iterdir()) == []


def test_a_model_that_is_another_one(giver: Stock, wary: Farm, true: bytes) -> None:
    forged = Forged.of(giver.farm, true)
    forged.row("models").update(digest=DIGEST, nodes=7)
    refused(wary, forged.bytes(), cause="its digest, nodes would be others")
