"""The launch tests' world: one hospital, one browser, one Microsoft 365, and the real doors between them."""

from tests.launch.conftest import world

__all__ = ["world"]
