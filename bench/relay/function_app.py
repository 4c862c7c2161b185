"""One queue function that POSTs each message as it is: the host's own price of a message."""

import os

import azure.functions as func
from urllib3 import PoolManager

from bench.lean import BASE
from sandbox.addresses import Addresses

app = func.FunctionApp()
_url = f"{Addresses.from_environ(os.environ).oracle_tls_url}{BASE}/AuditEvent"
_pools = PoolManager(
    maxsize=int(os.environ["PYTHON_THREADPOOL_THREAD_COUNT"]), ca_certs=os.environ["ANTESALA_CA_BUNDLE"]
)


@app.function_name("relay")
@app.queue_trigger(arg_name="message", queue_name="bench-relay", connection="AntesalaAmericas")
def relay(message: func.QueueMessage) -> None:
    """Tells the EHR."""
    answer = _pools.request("POST", _url, body=message.get_body(), timeout=30, retries=False)
    if answer.status >= 300:
        raise OSError(f"the EHR answered {answer.status}")
