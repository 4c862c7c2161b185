"""The clinician's routes. A trigger holds no rule: one call in, one response out.

The door is imported at its first request: a patient's launch on a cold instance does not wait for it.
"""

import functools
from typing import TYPE_CHECKING

import azure.functions as func

from shared import edge
from shared.wiring import services

if TYPE_CHECKING:
    from launch_provider.launch import ProviderDoor
    from launch_provider.visit_view import VisitView

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@functools.cache
def _door() -> "ProviderDoor":
    from launch_provider.launch import ProviderDoor

    return ProviderDoor(services())


@functools.cache
def _view() -> "VisitView":
    from launch_provider.visit_view import VisitView

    return VisitView(services())


@bp.function_name("provider_launch")
@bp.route("launch/provider/{connection}", methods=["GET"])
@edge.traced
def provider_launch(req: func.HttpRequest) -> func.HttpResponse:
    """Leg 1 of the clinician's launch."""
    return edge.page(req, _door().launch, audience="staff", services=services(), leg="begin")


@bp.function_name("provider_callback")
@bp.route("launch/provider/callback/{connection}", methods=["GET"])
@edge.traced
def provider_callback(req: func.HttpRequest) -> func.HttpResponse:
    """Leg 2 of the clinician's launch."""
    return edge.page(req, _door().callback, audience="staff", services=services(), leg="return")


@bp.function_name("provider_signin_callback")
@bp.route("launch/provider/signin/callback", methods=["GET"])
@edge.traced
def provider_signin_callback(req: func.HttpRequest) -> func.HttpResponse:
    """Microsoft 365's answer inside a launch."""
    return edge.page(req, _door().accounts.signed_in, audience="staff", services=services(), leg="account")


@bp.function_name("provider_signin_another")
@bp.route("launch/provider/signin/another", methods=["GET"])
@edge.traced
def provider_signin_another(req: func.HttpRequest) -> func.HttpResponse:
    """Choose another Microsoft 365 account for the same launch."""
    return edge.page(req, _door().accounts.another, audience="staff", services=services())


@bp.function_name("provider_signin_page")
@bp.route("launch/provider/signin/confirm", methods=["GET"])
@edge.traced
def provider_signin_page(req: func.HttpRequest) -> func.HttpResponse:
    """The one page with both names."""
    return edge.page(req, _door().accounts.page, audience="staff", services=services())


@bp.function_name("provider_signin_confirm")
@bp.route("launch/provider/signin/confirm", methods=["POST"])
@edge.traced
def provider_signin_confirm(req: func.HttpRequest) -> func.HttpResponse:
    """Its button."""
    return edge.page(req, _door().accounts.confirm, audience="staff", services=services(), leg="confirm")


@bp.function_name("provider_account")
@bp.route("launch/provider/{connection}/account", methods=["GET", "POST"])
@edge.traced
def provider_account(req: func.HttpRequest) -> func.HttpResponse:
    """One's own links, to see and remove."""
    return edge.page(req, _door().accounts.account, audience="staff", services=services())


@bp.function_name("provider_wait")
@bp.route("launch/provider/{connection}/wait/{handle}", methods=["GET"])
@edge.traced
def provider_wait(req: func.HttpRequest) -> func.HttpResponse:
    """The page of a visit whose door is not open yet."""
    return edge.page(req, _door().waiting, audience="staff", services=services(), leg="wait")


@bp.function_name("provider_visit")
@bp.route("launch/provider/{connection}/visit/{handle}", methods=["GET"])
@edge.traced
def provider_visit(req: func.HttpRequest) -> func.HttpResponse:
    """The live view's page."""
    return edge.page(req, _view().page, audience="staff", services=services())


@bp.function_name("provider_visit_state")
@bp.route("launch/provider/{connection}/visit/{handle}/state", methods=["GET"])
@edge.traced
def provider_visit_state(req: func.HttpRequest) -> func.HttpResponse:
    """The live view's data."""
    return edge.api(req, _view().state, services=services())
