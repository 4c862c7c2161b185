"""Graph's subscriptions, as far as call events need them: on beta only (graph.md 3)."""

from typing import Any

from sandbox.microsoft365.errors import GraphError, bad_request
from sandbox.microsoft365.graph import Answer, Caller, Graph, body_of_request
from sandbox.microsoft365.subscriptions import Subscription
from sandbox.microsoft365.world import World

_READ = ("OnlineMeetings.Read.All", "OnlineMeetings.ReadWrite.All")


class SubscriptionOperations:
    """The operations, over `world`; `install` gives them their routes."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self, graph: Graph) -> None:
        """Serve them."""
        graph.route("POST", "/subscriptions", "subscription", self.create)
        graph.route("GET", "/subscriptions", "subscription_read", self.listed)
        graph.route("GET", "/subscriptions/<subscription>", "subscription_read", self.get)
        graph.route("PATCH", "/subscriptions/<subscription>", "subscription_renew", self.renew)
        graph.route("DELETE", "/subscriptions/<subscription>", "subscription_delete", self.delete)
        graph.route(
            "POST", "/subscriptions/<subscription>/reauthorize", "subscription_renew", self.reauthorize
        )

    def create(self, caller: Caller) -> Answer:
        """POST subscriptions: 201 once both endpoints proved themselves."""
        _beta_only(caller)
        caller.needs(*_READ)
        if self.world.failures.subscription_quota:
            text = "Subscription limit of 10000 active Teams subscriptions per tenant was reached."
            raise GraphError(403, "Forbidden", text)
        made = self.world.subscriptions.create(caller.tenant, caller.app, body_of_request())
        return 201, self._shown(made)

    def listed(self, caller: Caller) -> Answer:
        """GET subscriptions: the caller's own."""
        _beta_only(caller)
        own = [one for one in self.world.subscriptions.alive() if _owns(caller, one)]
        return 200, {"value": [one.as_graph() for one in own]}

    def get(self, caller: Caller, subscription: str) -> Answer:
        """GET subscriptions/{id}."""
        _beta_only(caller)
        return 200, self._shown(self._own(caller, subscription))

    def renew(self, caller: Caller, subscription: str) -> Answer:
        """PATCH subscriptions/{id}: a later expiry, another certificate."""
        _beta_only(caller)
        caller.needs(*_READ)
        found = self._own(caller, subscription)
        self.world.subscriptions.renew(found, body_of_request())
        return 200, self._shown(found)

    def reauthorize(self, caller: Caller, subscription: str) -> Answer:
        """POST subscriptions/{id}/reauthorize: delivery goes on, the expiry stays."""
        _beta_only(caller)
        caller.needs(*_READ)
        self.world.subscriptions.pause(self._own(caller, subscription), False)
        return 204, None

    def delete(self, caller: Caller, subscription: str) -> Answer:
        """DELETE subscriptions/{id}: on either version."""
        self.world.subscriptions.remove(self._own(caller, subscription))
        return 204, None

    def _own(self, caller: Caller, subscription_id: str) -> Subscription:
        found = self.world.subscriptions.find(subscription_id)
        if found is None or not _owns(caller, found):
            raise GraphError(404, "ResourceNotFound", "The object was not found.")
        return found

    def _shown(self, subscription: Subscription) -> dict[str, Any]:
        context = f"{self.world.graph}/beta/$metadata#subscriptions/$entity"
        return {"@odata.context": context, **subscription.as_graph()}


def _owns(caller: Caller, subscription: Subscription) -> bool:
    return (subscription.tenant, subscription.app) == (caller.tenant, caller.app)


def _beta_only(caller: Caller) -> None:
    if caller.version != "beta":
        raise bad_request("Invalid 'resource' attribute in subscription: not supported in this version.")
