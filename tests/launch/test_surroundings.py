"""Where a launch arrives, and that nothing is used up before it is in a place fit for a visit."""

import re
from html import unescape

import pytest

from shared.launch.surroundings import fitness, outside
from tests.launch.conftest import PUBLIC, World
from tests.launch.ehr import BASE, query_of

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8{}) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
IN_APP = f"{IPHONE} Mobile/15E148"
IN_ANDROID_APP = f"{ANDROID.format('; wv')} Chrome/126.0.0.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("", "fit"),
        ("Something/1.0 nobody knows", "fit"),
        (f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36", "fit"),
        (f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "fit"),
        (f"{WINDOWS} Chrome/70.0.3538.102 Safari/537.36 Edge/18.19582", "too-old"),
        (f"{WINDOWS} Chrome/79.0.3945.130 Safari/537.36", "too-old"),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "too-old"),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", "too-old"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "fit"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0", "too-old"),
        (f"{IPHONE} Version/18.1 Mobile/15E148 Safari/604.1", "fit"),
        (f"{IPHONE} Version/12.1 Mobile/15E148 Safari/604.1", "too-old"),
        (f"{IPHONE} CriOS/126.0.6478.35 Mobile/15E148 Safari/604.1", "fit"),
        (IN_APP, "web-view"),
        (IN_ANDROID_APP, "web-view"),
        (f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/450.0]", "web-view"),
        (f"{ANDROID.format('')} Mobile Safari/534.30", "too-old"),
        ("Opera/9.80 (Android; Opera Mini/8.0) Presto/2.12", "too-old"),
    ],
)
def test_fitness(agent: str, expected: str) -> None:
    assert fitness(agent) == expected


@pytest.mark.parametrize("side", ["patient", "provider"])
def test_a_browser_too_old_is_told_before_the_launch_is_used(world: World, side: str) -> None:
    shown = world.leg1(side, headers={"user-agent": "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0)"})
    assert shown.reason == "browser-unsupported"
    assert not world.ehr.sent
    assert not world.browser.cookies
    assert world.outcomes == ["browser-unsupported"]


@pytest.mark.parametrize("agent", [IN_APP, IN_ANDROID_APP])
def test_a_web_view_leads_to_the_browser_with_the_launch_unused(world: World, agent: str) -> None:
    query = f"iss={BASE}&launch=a%2Bb&open=device-test"
    shown = world.leg1("patient", query, headers={"user-agent": agent})
    assert shown.status == 200
    assert not world.ehr.sent
    assert not world.browser.cookies
    found = re.search(r'class="button primary large" href="([^"]+)"', shown.text)
    assert found
    inside = unescape(found[1]).removeprefix("x-safari-").replace("intent://", "https://").partition("#")[0]
    assert inside.startswith(f"{PUBLIC}/launch/patient/")
    assert query_of(inside) == {"iss": BASE, "launch": "a+b", "open": "device-test"}


def test_who_goes_on_in_the_web_view_is_asked_once(world: World) -> None:
    query = f"iss={BASE}&launch=l-1"
    shown = world.leg1("patient", query, headers={"user-agent": IN_APP})
    found = re.search(r'data-web-view="([^"]+)"', shown.text)
    assert found
    again = world.leg1("patient", unescape(found[1]).partition("?")[2], headers={"user-agent": IN_APP})
    assert again.location.startswith("https://ehr.example/oauth2/authorize?")
    assert query_of(again.location)["launch"] == "l-1"


def test_a_frame_comes_before_everything_else(world: World) -> None:
    shown = world.leg1(headers={"sec-fetch-dest": "iframe", "user-agent": IN_APP})
    assert 'target="_blank"' in shown.text


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (
            IN_ANDROID_APP,
            "intent://a.example/x?y=1#Intent;scheme=https;action=android.intent.action.VIEW;end",
        ),
        (IN_APP, "x-safari-https://a.example/x?y=1"),
    ],
)
def test_the_way_out(agent: str, expected: str) -> None:
    assert outside("https://a.example/x?y=1", agent) == expected


def test_a_wrong_environment_is_said_before_any_of_this(world: World) -> None:
    shown = world.leg1(query="iss=https://evil.example/fhir&launch=l", headers={"user-agent": IN_APP})
    assert shown.reason == "wrong-environment"
