"""Script in whatever somebody typed or the directory says is shown as text."""

import pytest

from tests.config import house as people
from tests.config.house import ADMIN, POOL
from tests.config.scene import Scene

SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}",
    "</textarea><script>alert(1)</script>",
)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("field", ["name", "provider_client_id", "visit_key", "issuers", "time_zone"])
def test_script_in_a_field_is_shown_as_text(scene: Scene, script: str, field: str) -> None:
    admin = scene.house.browser(ADMIN)
    step = "visits" if field == "time_zone" else "ehr"
    form = {"version": scene.version(admin), "action": "save", field: script}
    page = admin.post(f"/config/connections/{scene.waiting}/edit/{step}", form)
    for dangerous in ("<script>alert", "<img src=x", "> 49 <"):
        assert dangerous not in page.text
    assert "script-src 'self'" in page.headers.get("content-security-policy", "script-src 'self'")


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_in_a_name_of_the_directory_is_shown_as_text(
    scene: Scene, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(people.NAMES, POOL, script)
    page = scene.house.browser(ADMIN).get(f"/config/connections/{scene.waiting}")
    assert page.status == 200
    for dangerous in ("<script>alert", "<img src=x", "> 49 <"):
        assert dangerous not in page.text
