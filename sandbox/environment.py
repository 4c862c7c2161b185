"""What each process of the sandbox is told: the function app's settings, and where everybody listens.

A child starts from a bare environment: certificate bundles, proxies or settings of the person at the
keyboard must not change what the sandbox does.
"""

import os
import sys
from pathlib import Path

from sandbox.addresses import Addresses
from sandbox.children import bare_environ
from sandbox.storage import AzuriteServer

TENANT = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
CLIENT = "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631"


def simulator_environ(addresses: Addresses, state: Path) -> dict[str, str]:
    """For a simulator: where everything listens and where it may keep its state."""
    return {**bare_environ(), **addresses.environ(), "SANDBOX_STATE": str(state)}


def app_environ(addresses: Addresses, state: Path, storage: AzuriteServer) -> dict[str, str]:
    """For the Functions host: the app settings of a deployment whose cloud is the sandbox."""
    return {
        **simulator_environ(addresses, state),
        **storage.environ(),
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsDisableHomepage": "true",
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
        # Core Tools look for the interpreter beside everything else.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "ANTESALA_ENVIRONMENT": "sandbox",
        "ANTESALA_PUBLIC_URL": addresses.app_url,
        "ANTESALA_SERVER_URL": addresses.app_tls_url,
        "ANTESALA_REGIONS": "americas,emea,apac",
        "ANTESALA_TENANTS": TENANT,
        "ANTESALA_CLIENT_ID": CLIENT,
        "ANTESALA_LOGIN_URL": addresses.m365_tls_url,
        "ANTESALA_GRAPH_URL": f"{addresses.m365_tls_url}/graph",
        "ANTESALA_TEAMS_HOSTS": f"localhost:{addresses.m365_http}",
        "ANTESALA_SECRETS_DIR": str(state / "secrets"),
        "ANTESALA_CA_BUNDLE": str(state / "bundle.pem"),
        "ANTESALA_PRIVATE_HOSTS": "localhost",
        "ANTESALA_DEBOUNCE_SECONDS": "2",
        "ANTESALA_LATENESS_SECONDS": "0",
    }
