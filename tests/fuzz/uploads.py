"""Random lives of uploads over HTTP, compared step by step with a model of a few lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from starlette.testclient import TestClient

from tests.unit.api.problems import problem
from trtfarm.digests import digest_of_bytes
from trtfarm.farm import Farm

_UNITS = st.sampled_from(["bytes", "Bytes", "bits", ""])


@dataclass
class _Expected:
    """An upload as it should be: what its digest is of, and what has come."""

    content: bytes
    come: bytes = b""


class UploadMachine(RuleBasedStateMachine):
    """`run_uploads` sets the client and the farm."""

    client: TestClient
    farm: Farm

    uploads: Bundle[str] = Bundle("uploads")
    ended: Bundle[str] = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        self._expected: dict[str, _Expected] = {}

    @rule(target=uploads, content=st.binary(max_size=40))
    def begin(self, content: bytes) -> str:
        begun = self.client.post("/v1/uploads", json={"digest": digest_of_bytes(content), "size": len(content)})
        assert begun.status_code == 201, begun.text
        upload = str(begun.json()["id"])
        self._expected[upload] = _Expected(content)
        return upload

    @rule(upload=uploads, size=st.integers(1, 40))
    def send_what_is_next(self, upload: str, size: int) -> None:
        expected = self._expected[upload]
        first = len(expected.come)
        piece = expected.content[first : first + size]
        if piece:
            answered = self._patch(upload, f"bytes {first}-{first + len(piece) - 1}/{len(expected.content)}", piece)
            expected.come += piece
            assert answered.status_code == 202, answered.text
            assert answered.headers["Upload-Offset"] == str(len(expected.come))

    @rule(upload=uploads, first=st.integers(-1, 45), last=st.integers(-1, 45), piece=st.binary(max_size=45))
    def send_anything(self, upload: str, first: int, last: int, piece: bytes) -> None:
        expected = self._expected[upload]
        announced = last + 1 - first
        answered = self._patch(upload, f"bytes {first}-{last}/*", piece)
        fits = 0 <= first <= last < len(expected.content) and first == len(expected.come)
        if fits and len(piece) <= announced:
            # What came before the connection broke stays, and the next request goes on there.
            expected.come += piece
        if fits and len(piece) == announced:
            assert answered.status_code == 202, answered.text
        else:
            assert answered.status_code in (400, 409), answered.text

    @rule(
        upload=uploads, unit=_UNITS, text=st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=30)
    )
    def send_as_nobody_does(self, upload: str, unit: str, text: str) -> None:
        problem(self._patch(upload, f"{unit} {text}x", b"x"), 400, "usage")

    @rule(upload=uploads, wrong=st.integers(1, 1 << 62))
    def send_of_another_size(self, upload: str, wrong: int) -> None:
        expected = self._expected[upload]
        first, size = len(expected.come), len(expected.content) + wrong
        assert self._patch(upload, f"bytes {first}-{first}/{size}", b"x").status_code == 400

    @rule(target=ended, upload=consumes(uploads))
    def finish(self, upload: str) -> str:
        expected = self._expected.pop(upload)
        answered = self.client.post(f"/v1/uploads/{upload}/finish")
        if len(expected.come) < len(expected.content):
            problem(answered, 409, "conflict")
            assert self.client.delete(f"/v1/uploads/{upload}").status_code == 204
        elif expected.come == expected.content:
            assert answered.status_code == 201, answered.text
            digest = digest_of_bytes(expected.content)
            assert self.client.get(f"/v1/blobs/{digest}").content == expected.content
        else:
            problem(answered, 422, "bad_data")
        return upload

    @rule(target=ended, upload=consumes(uploads))
    def cancel(self, upload: str) -> str:
        del self._expected[upload]
        assert self.client.delete(f"/v1/uploads/{upload}").status_code == 204
        return upload

    @rule(upload=ended)
    def go_on_with_what_has_ended(self, upload: str) -> None:
        problem(self._patch(upload, "bytes 0-0/*", b"x"), 404, "not_found")
        problem(self.client.post(f"/v1/uploads/{upload}/finish"), 404, "not_found")
        problem(self.client.delete(f"/v1/uploads/{upload}"), 404, "not_found")

    @rule()
    def sweep(self) -> None:
        """Clean-up leaves alone what is going on."""
        assert self.farm.uploads.sweep() == 0

    @invariant()
    def every_upload_is_as_far_as_it_should_be(self) -> None:
        listed = {item["id"]: item["offset"] for item in self.client.get("/v1/uploads").json()["items"]}
        assert listed == {upload: len(expected.come) for upload, expected in self._expected.items()}
        files = self.farm.settings.home / "uploads"
        assert {path.name for path in files.glob("*")} == set(listed)

    def teardown(self) -> None:
        for upload in self._expected:
            self.client.delete(f"/v1/uploads/{upload}")
        assert not any((self.farm.settings.home / "uploads").glob("*"))

    def _patch(self, upload: str, content_range: str, piece: bytes) -> Any:
        headers = {"Content-Range": content_range}
        return self.client.patch(f"/v1/uploads/{upload}", content=piece, headers=headers)


def run_uploads(client: TestClient, farm: Farm) -> None:
    """Fails with the shortest life found that breaks a promise."""
    machine = type("Machine", (UploadMachine,), {"client": client, "farm": farm})
    examples = settings.default.max_examples // 10 if settings.default else 10
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow]),
    )
