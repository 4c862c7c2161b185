// One storage account without shared keys. Used twice in a stamp: for the Functions host, and for the connector's data.

@description('Globally unique name, 3-24 lower-case letters and digits.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Blob containers to make.')
param containers array = []

@description('Queues to make.')
param queues array = []

@description('Tables to make.')
param tables array = []

@description('Redundancy: zone-redundant inside the region keeps data in its geography.')
@allowed(['Standard_ZRS', 'Standard_LRS', 'Standard_GZRS'])
param sku string = 'Standard_ZRS'

@description('Object ID of the identity that uses the account.')
param identityPrincipalId string

@description('Role definition IDs that the identity gets on the account.')
param roles array

@description('Closes the public endpoint; private endpoints are the only way in.')
param closePublicAccess bool

@description('Workspace that takes the access logs.')
param workspaceId string

@description('Logs every access to the tables. Such a log names rows.')
param logTableAccess bool

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: closePublicAccess ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closePublicAccess ? 'Deny' : 'Allow'
    }
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: { enabled: true }
        queue: { enabled: true, keyType: 'Account' }
        table: { enabled: true, keyType: 'Account' }
      }
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    resource container 'containers' = [for item in containers: {
      name: item
      properties: { publicAccess: 'None' }
    }]
  }

  resource queueService 'queueServices' = {
    name: 'default'
    resource queue 'queues' = [for item in queues: {
      name: item
    }]
  }

  resource tableService 'tableServices' = {
    name: 'default'
    resource table 'tables' = [for item in tables: {
      name: item
    }]
  }
}

// The account is the narrowest scope that fits: the identity uses every queue and table in it, and nothing else lies there.
resource grants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in roles: {
  name: guid(account.id, identityPrincipalId, role)
  scope: account
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: account::blobs
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: account::queueService
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

resource tableLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: account::tableService
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: logTableAccess }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

@description('The account, for private endpoints.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

@description('Address of its blobs, with a slash at the end.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('Address of its queues.')
output queueEndpoint string = account.properties.primaryEndpoints.queue

@description('Address of its tables.')
output tableEndpoint string = account.properties.primaryEndpoints.table
