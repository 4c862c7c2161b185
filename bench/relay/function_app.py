"""One queue function that POSTs each message as it is: the host's own price of a message."""

import os

import azure.functions as func
import requests
from requests.adapters import HTTPAdapter

from bench.lean import BASE
from sandbox.addresses import Addresses

app = func.FunctionApp()
_url = f"{Addresses.from_environ(os.environ).oracle_tls_url}{BASE}/AuditEvent"
_session = requests.Session()
_session.trust_env = False
_session.verify = os.environ["ANTESALA_CA_BUNDLE"]
_session.mount("https://", HTTPAdapter(pool_maxsize=int(os.environ["PYTHON_THREADPOOL_THREAD_COUNT"])))


@app.function_name("relay")
@app.queue_trigger(arg_name="message", queue_name="bench-relay", connection="AntesalaAmericas")
def relay(message: func.QueueMessage) -> None:
    """Tells the EHR."""
    _session.post(_url, data=message.get_body(), timeout=30).raise_for_status()
