"""Tests that every implementation of an interface must pass: the folders beside this one run them on theirs."""

import pytest

pytest.register_assert_rewrite(
    *(f"tests.contracts.{name}" for name in ("blobs", "catalog", "garbage", "jobs", "job_machine", "races", "schema"))
)
