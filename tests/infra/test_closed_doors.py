"""Where Front Door is used, nothing else gets in: not by the app's own name, nor by another's Front Door."""

import re
from pathlib import Path

APP = (Path(__file__).resolve().parents[2] / "infra/modules/app.bicep").read_text("utf-8")


def test_with_front_door_every_other_way_in_should_be_closed() -> None:
    assert "ipSecurityRestrictionsDefaultAction: empty(frontDoorId) ? 'Allow' : 'Deny'" in APP
    only = re.search(r"^var onlyFrontDoor = \[\n(.*?)^\]$", APP, re.MULTILINE | re.DOTALL)
    assert only
    assert only[1].count("action: 'Allow'") == 1
    assert "ipAddress: 'AzureFrontDoor.Backend'" in only[1]
    # The service tag is everybody's Front Door; the header names ours.
    assert "headers: { 'x-azure-fdid': [frontDoorId] }" in only[1]
