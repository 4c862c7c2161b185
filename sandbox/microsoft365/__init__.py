"""A strict simulated Microsoft 365: Entra ID, Microsoft Graph and a Teams page, to try and test Antesala.

`World` is everything it knows; `create_app(world)` is the one Flask app that is served on the http and on the
TLS port. It plays by the published rules (graph.md) and shares no module with the product.
"""

from sandbox.microsoft365.app import create_app
from sandbox.microsoft365.failures import Failures
from sandbox.microsoft365.world import World, utc_now

__all__ = ["Failures", "World", "create_app", "utc_now"]
