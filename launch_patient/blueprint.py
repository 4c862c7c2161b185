"""The patient's routes. A trigger holds no rule: one call in, one response out.

The door is imported at its first request: a clinician's launch on a cold instance does not wait for it.
"""

import functools
from typing import TYPE_CHECKING

import azure.functions as func

from shared import edge
from shared.wiring import services

if TYPE_CHECKING:
    from launch_patient.device_test import DeviceTest
    from launch_patient.launch import PatientDoor

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@functools.cache
def _door() -> "PatientDoor":
    from launch_patient.launch import PatientDoor

    return PatientDoor(services())


@functools.cache
def _device_test() -> "DeviceTest":
    from launch_patient.device_test import DeviceTest

    return DeviceTest(services())


@bp.function_name("patient_launch")
@bp.route("launch/patient/{connection}", methods=["GET"])
@edge.traced
def patient_launch(req: func.HttpRequest) -> func.HttpResponse:
    """Leg 1 of the patient's launch."""
    return edge.page(req, _door().launch, audience="patient", services=services(), leg="begin")


@bp.function_name("patient_callback")
@bp.route("launch/patient/callback/{connection}", methods=["GET"])
@edge.traced
def patient_callback(req: func.HttpRequest) -> func.HttpResponse:
    """Leg 2 of the patient's launch."""
    return edge.page(req, _door().callback, audience="patient", services=services(), leg="return")


@bp.function_name("patient_wait")
@bp.route("launch/patient/{connection}/wait/{handle}", methods=["GET"])
@edge.traced
def patient_wait(req: func.HttpRequest) -> func.HttpResponse:
    """The page of a visit whose door is not open yet."""
    return edge.page(req, _door().waiting, audience="patient", services=services(), leg="wait")


@bp.function_name("patient_device_test")
@bp.route("launch/patient/{connection}/device-test", methods=["GET"])
@edge.traced
def patient_device_test(req: func.HttpRequest) -> func.HttpResponse:
    """The device test."""
    return edge.page(req, _device_test().page, audience="patient", services=services())


@bp.function_name("patient_device_result")
@bp.route("launch/patient/{connection}/device-test", methods=["POST"])
@edge.traced
def patient_device_result(req: func.HttpRequest) -> func.HttpResponse:
    """The device test's result, once."""
    return edge.api(req, _device_test().report, services=services())
