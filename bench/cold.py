"""Cold start: from the start of a process to the first redirect of a launch, beside one bare function.

The host is the sandbox's over Microsoft's worker library, the same for both apps; every round starts fresh
processes. What a real platform adds before (an instance, the package, the .NET host) is in neither.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from urllib.parse import urlsplit

from bench.figures import Aim, Figure, percentile, timed
from bench.house import ROOT, House, house
from bench.seeds import connect, launch_url, launched, link
from bench.walking import Walker

ROUNDS, IMPORTS = 9, 15
HEAVY = ("fhir", "msal", "azure.identity", "jinja2")
"""Libraries that a launch's first leg must not have imported; msal belongs to leg 2, where Graph is asked."""
_IMPORT = "import sys,time;t=time.process_time();import {};print(time.process_time()-t)"
_AFTER = """
import json,os,sys,time
from urllib.parse import parse_qsl,urlsplit
import function_app
from launch_provider.launch import ProviderDoor
from shared.web import Request
from shared.wiring import services
at=urlsplit(sys.argv[1])
request=Request("GET",at.path,query=dict(parse_qsl(at.query)),route={"connection":at.path.rpartition("/")[2]})
status=ProviderDoor(services()).launch(request).status
print(json.dumps([status,[one for one in sys.argv[2:] if one in sys.modules]]))
"""


def measure() -> Iterator[Figure]:
    """First redirects, imports, memory, and the heavy libraries on the path."""
    with house("m365", "epic", host=False) as running:
        connect(running, "epic")
        link(running, "epic")
        bare, provider, patient, memory = _starts(running)
        floor = statistics.median(bare)
        aim = Aim("ratio", 1.8)
        yield timed("cold", "start to first answer, one bare function", bare)
        for name, seconds in (("provider", provider), ("patient", patient)):
            title = f"start to first {name} redirect"
            yield timed("cold", title, seconds, floor=floor, against="bare function", aim=aim)
        # Leg 2 needs the key sets, so it is a whole launch after which memory is looked at.
        held, most = statistics.median(memory), percentile(memory, 0.95)
        yield Figure("cold", "RSS after the first launch", "MiB", held, most, aim=Aim("median", 85))
        yield from _imports(running)
        yield _heavy(running)


def _starts(running: House) -> tuple[list[float], list[float], list[float], list[float]]:
    bare: list[float] = []
    provider: list[float] = []
    patient: list[float] = []
    memory: list[float] = []
    port = running.at.host_http
    for place in range(ROUNDS + 1):
        # The first round fills caches of files; it is thrown away.
        times = [_until_answered(running, f"http://localhost:{port}/bare", bare_app=True)]
        for side in ("provider", "patient"):
            url = launch_url(running, "epic", side, place)
            times.append(_until_answered(running, url))
            if side == "provider":
                walker = Walker()
                launched(walker, launch_url(running, "epic", "provider", 500 + place))
                walker.close()
                memory.append(running.memory())
            running.end("host")
        if place:
            for known, seconds in zip((bare, provider, patient), times, strict=True):
                known.append(seconds)
    return bare, provider, patient, memory


def _until_answered(running: House, url: str, *, bare_app: bool = False) -> float:
    """Seconds from the start of the host's process to a redirect (of the bare one: an answer)."""
    begun = time.perf_counter()
    running.start_host(ROOT / "bench" / "bare" if bare_app else ROOT, "host")
    wanted = 204 if bare_app else 303
    parts = urlsplit(url)
    while (status := _status(parts.port or 80, f"{parts.path}?{parts.query}")) is None:
        time.sleep(0.002)
    seconds = time.perf_counter() - begun
    if status != wanted:
        raise RuntimeError(f"the first answer was {status}")
    if bare_app:
        running.end("host")
    return seconds


def _status(port: int, path: str) -> int | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}", "Accept": "text/html"})
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


def _imports(running: House) -> Iterator[Figure]:
    seconds: dict[str, list[float]] = {"azure.functions": [], "function_app": []}
    for _ in range(IMPORTS):
        for module, known in seconds.items():
            known.append(float(_python(running, _IMPORT.format(module))))
    floor = statistics.median(seconds["azure.functions"])
    yield timed("cold", "import azure.functions (processor time)", seconds["azure.functions"])
    yield timed(
        "cold",
        "import function_app (processor time)",
        seconds["function_app"],
        floor=floor,
        against="azure.functions",
        aim=Aim("median", 250),
    )


def _heavy(running: House) -> Figure:
    found = _python(running, _AFTER, launch_url(running, "epic", "provider", 1), *HEAVY)
    status, heavy = json.loads(found)
    note = ", ".join(heavy) if status == 303 else f"the launch answered {status}"
    count = float(len(heavy) if status == 303 else len(HEAVY))
    return Figure("cold", "heavy libraries in a launch's leg 1", "", count, aim=Aim("median", 0), note=note)


def _python(running: House, code: str, *arguments: str) -> str:
    command: Sequence[str] = (sys.executable, "-c", code, *arguments)
    answer = subprocess.run(
        command, cwd=ROOT, env=running.environ(), check=True, capture_output=True, text=True
    )
    return answer.stdout.strip().splitlines()[-1]
