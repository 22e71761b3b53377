"""Tests that every implementation of an interface must pass: the folders beside this one run them on theirs."""

import pytest

pytest.register_assert_rewrite("tests.contracts.jobs", "tests.contracts.races", "tests.contracts.blobs")
