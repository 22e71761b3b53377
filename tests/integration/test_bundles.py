from __future__ import annotations

from tests.contracts.bundles import BundleContract


class TestBundles(BundleContract):
    pass
