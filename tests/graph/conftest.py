import pytest

from shared.settings import Settings
from tests.graph.fakes import CLIENT_ID, OTHER_TENANT, TENANT

STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=a{0};AccountKey=a2V5;"
    "QueueEndpoint=http://127.0.0.1:1/a{0};TableEndpoint=http://127.0.0.1:1/a{0}"
)
ENVIRON = {
    "ANTESALA_ENVIRONMENT": "production",
    "ANTESALA_PUBLIC_URL": "https://app.example",
    "ANTESALA_REGIONS": "americas",
    "ANTESALA_TENANTS": f"{TENANT},{OTHER_TENANT}",
    "ANTESALA_CLIENT_ID": CLIENT_ID,
    "ANTESALA_KEY_VAULT_URL": "https://vault.example",
    "ANTESALA_CLIENT_SECRETS_VAULT_URL": "https://secrets.example",
    "AntesalaAmericas__queueServiceUri": "https://a.queue.core.windows.net",
    "AntesalaAmericas__tableServiceUri": "https://a.table.core.windows.net",
    "AntesalaAmericas__credential": "managedidentity",
    "AntesalaAmericas__clientId": "00000000-0000-4000-8000-000000000001",
    "AZURE_CLIENT_ID": "00000000-0000-4000-8000-000000000001",
}


@pytest.fixture
def settings() -> Settings:
    return Settings.from_environ(ENVIRON)
