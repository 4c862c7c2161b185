"""What the rules of ``scripts.infra_rules`` know about Azure, as tables: a new fact is a new row."""

from dataclasses import dataclass

# Built-in roles by their ids, which are the same in every tenant.
ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}

# The one API version in which each type is written here; a resource inside another has that one's.
VERSIONS = {
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Cdn/profiles": "2024-02-01",
    "Microsoft.Cdn/profiles/afdEndpoints": "2024-02-01",
    "Microsoft.Cdn/profiles/afdEndpoints/routes": "2024-02-01",
    "Microsoft.Cdn/profiles/originGroups": "2024-02-01",
    "Microsoft.Cdn/profiles/originGroups/origins": "2024-02-01",
    "Microsoft.Cdn/profiles/securityPolicies": "2024-02-01",
    "Microsoft.EventGrid/systemTopics": "2025-02-15",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": "2025-02-15",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.Insights/metricAlerts": "2018-03-01",
    "Microsoft.Insights/scheduledQueryRules": "2022-06-15",
    "Microsoft.Insights/webtests": "2022-06-15",
    "Microsoft.Insights/workbooks": "2022-04-01",
    "Microsoft.KeyVault/vaults": "2023-07-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2023-01-31",
    "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies": "2024-02-01",
    "Microsoft.Network/natGateways": "2024-01-01",
    "Microsoft.Network/privateDnsZones": "2020-06-01",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "2020-06-01",
    "Microsoft.Network/privateEndpoints": "2024-01-01",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "2024-01-01",
    "Microsoft.Network/publicIPAddresses": "2024-01-01",
    "Microsoft.Network/virtualNetworks": "2024-01-01",
    "Microsoft.OperationalInsights/workspaces": "2023-09-01",
    "Microsoft.Resources/resourceGroups": "2024-03-01",
    "Microsoft.Storage/storageAccounts": "2023-05-01",
    "Microsoft.Storage/storageAccounts/blobServices": "2023-05-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "2023-05-01",
    "Microsoft.Storage/storageAccounts/queueServices": "2023-05-01",
    "Microsoft.Storage/storageAccounts/queueServices/queues": "2023-05-01",
    "Microsoft.Storage/storageAccounts/tableServices": "2023-05-01",
    "Microsoft.Storage/storageAccounts/tableServices/tables": "2023-05-01",
    "Microsoft.Web/serverfarms": "2024-04-01",
    "Microsoft.Web/sites": "2024-04-01",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "2024-04-01",
    "Microsoft.Web/sites/config": "2024-04-01",
}


@dataclass(frozen=True)
class Must:
    """A property that a type must have, with one of these values (none given: any)."""

    resource: str
    path: str
    values: tuple[str, ...]
    why: str


_SITE = "Microsoft.Web/sites"
_ACCOUNT = "Microsoft.Storage/storageAccounts"
_VAULT = "Microsoft.KeyVault/vaults"
_CLOSED = ("closePublicAccess ? 'Disabled' : 'Enabled'", "Disabled")
_DENIED = ("closePublicAccess ? 'Deny' : 'Allow'", "Deny")

REQUIRED = (
    Must(_SITE, "properties.httpsOnly", ("true",), "cookies and codes travel on it"),
    Must(_SITE, "properties.siteConfig.minTlsVersion", ("1.2", "1.3"), "older TLS is broken"),
    Must(_SITE, "properties.siteConfig.scmMinTlsVersion", ("1.2", "1.3"), "older TLS is broken"),
    Must(_SITE, "properties.siteConfig.ftpsState", ("Disabled",), "another way to publish"),
    Must(_SITE, "properties.siteConfig.remoteDebuggingEnabled", ("false",), "a debugger reads memory"),
    Must(_SITE, "properties.clientAffinityEnabled", ("false",), "a cookie that nobody needs"),
    Must(_SITE, "identity.type", ("UserAssigned",), "roles are granted before the app exists"),
    Must(
        f"{_SITE}/basicPublishingCredentialsPolicies",
        "properties.allow",
        ("false",),
        "publishing by password",
    ),
    Must(_ACCOUNT, "properties.allowSharedKeyAccess", ("false",), "a key is nobody's identity"),
    Must(_ACCOUNT, "properties.allowBlobPublicAccess", ("false",), "no blob is for everybody"),
    Must(_ACCOUNT, "properties.allowCrossTenantReplication", ("false",), "data would leave the tenant"),
    Must(_ACCOUNT, "properties.defaultToOAuthAuthentication", ("true",), "the portal would ask for keys"),
    Must(_ACCOUNT, "properties.minimumTlsVersion", ("TLS1_2", "TLS1_3"), "older TLS is broken"),
    Must(_ACCOUNT, "properties.supportsHttpsTrafficOnly", ("true",), "visits travel on it"),
    Must(_ACCOUNT, "properties.publicNetworkAccess", _CLOSED, "an isolated network must really be one"),
    Must(_ACCOUNT, "properties.networkAcls.defaultAction", _DENIED, "an isolated network must really be one"),
    Must(f"{_ACCOUNT}/blobServices/containers", "properties.publicAccess", ("None",), "no blob is for all"),
    Must(_VAULT, "properties.enableRbacAuthorization", ("true",), "roles, not access policies"),
    Must(_VAULT, "properties.enablePurgeProtection", ("true",), "a deleted key can be had back"),
    Must(_VAULT, "properties.enableSoftDelete", ("true",), "a deleted key can be had back"),
    Must(_VAULT, "properties.publicNetworkAccess", _CLOSED, "an isolated network must really be one"),
    Must(_VAULT, "properties.networkAcls.defaultAction", _DENIED, "an isolated network must really be one"),
    Must("Microsoft.Insights/components", "properties.DisableLocalAuth", ("true",), "anybody could send"),
    Must("Microsoft.Insights/components", "properties.WorkspaceResourceId", (), "classic ones are retired"),
    Must(
        "Microsoft.OperationalInsights/workspaces", "properties.features.disableLocalAuth", ("true",), "a key"
    ),
    Must("Microsoft.Authorization/roleAssignments", "scope", (), "else it holds for the whole group"),
    Must("Microsoft.Authorization/roleAssignments", "properties.principalType", (), "new identities lag"),
    Must(
        "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies",
        "properties.policySettings.mode",
        ("Prevention",),
        "detection lets everything through",
    ),
)

# Types whose doings must go to the workspace, by a diagnostic setting of the same file.
WATCHED = frozenset(
    {
        _SITE,
        _VAULT,
        f"{_ACCOUNT}/blobServices",
        f"{_ACCOUNT}/queueServices",
        f"{_ACCOUNT}/tableServices",
        "Microsoft.Cdn/profiles",
    }
)

# Settings that the host and the worker read, each with the reason to set it.
HOST_SETTINGS = {
    "AzureWebJobsStorage__accountName": "the host's own storage",
    "AzureWebJobsStorage__credential": "by identity",
    "AzureWebJobsStorage__clientId": "by this identity",
    "AzureWebJobsDisableHomepage": "the route prefix is empty: / is the portal's",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where logs go",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "by identity",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "the default is 100 MB",
    "PYTHON_THREADPOOL_THREAD_COUNT": "as many as requests at once",
}

# Settings that on Flex Consumption belong into functionAppConfig, or that the plan refuses.
FORBIDDEN_SETTINGS = frozenset(
    {
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_WORKER_RUNTIME_VERSION",
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_WORKER_PROCESS_COUNT",
        "FUNCTIONS_MAX_HTTP_CONCURRENCY",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
        "WEBSITE_TIME_ZONE",
        "WEBSITE_VNET_ROUTE_ALL",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "ENABLE_ORYX_BUILD",
    }
)
