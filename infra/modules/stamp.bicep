// One stamp: everything of one region. What a connection stores never leaves it.

@description('Name of this environment.')
param environmentName string

@description('Region of the connections that this stamp keeps: americas, emea or apac.')
@allowed(['americas', 'emea', 'apac'])
param region string

@description('Azure region of every resource.')
param location string

@description('Address that users see, or empty for the app\'s own host name.')
param publicUrl string

@description('Application (client) ID of the Entra app registration.')
param clientId string

@description('Comma-separated tenant IDs that may use the deployment.')
param tenants string

@description('Object ID of who deploys, or empty.')
param principalId string

@description('What the principal is: User, Group or ServicePrincipal.')
param principalType string

@description('Where alerts are mailed, or empty.')
param alertEmail string

@description('Private endpoints and a virtual network.')
param isolateNetwork bool

@description('Front Door before the app.')
param useFrontDoor bool

@description('Memory of one instance in MB.')
param instanceMemoryMB int

@description('Most instances of one scale group.')
param maximumInstanceCount int

@description('HTTP requests that one instance handles at once.')
param httpConcurrency int

@description('Instances kept warm in each group.')
param alwaysReady int

@description('Login endpoint.')
param loginUrl string

@description('Microsoft Graph root.')
param graphUrl string

@description('Further settings by name.')
param extraSettings object

@description('Days that logs are kept.')
param logRetentionDays int

@description('Logs every access to the tables, row keys included.')
param logTableAccess bool

@description('Tags of every resource.')
param tags object

var abbreviations = loadJsonContent('../abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, region))
var suffix = 'antesala-${environmentName}-${region}'
var setting = { americas: 'AntesalaAmericas', emea: 'AntesalaEmea', apac: 'AntesalaApac' }[region]
var roles = {
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  tableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  secretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
}
// The poison queues are made here, so that the app never has to make one at the moment when something is wrong.
var queueNames = ['attendance', 'writeback', 'writeback-parked', 'tend', 'attendance-poison', 'writeback-poison', 'tend-poison']
var tableNames = ['Connections', 'EhrUsers', 'Visits', 'Operations', 'DeadLetters', 'Launches', 'Audit']
// Launches must not wait for a cold start, and live attendance must reach the EHR while it is still live.
var warm = [
  { name: 'http', instanceCount: alwaysReady }
  { name: 'function:fold_${region}', instanceCount: alwaysReady }
  { name: 'function:deliver_${region}', instanceCount: alwaysReady }
]
var deployer = empty(principalId) ? [] : [{ principalId: principalId, principalType: principalType, role: roles.secretsOfficer }]
var appHostNames = { AzureCloud: 'azurewebsites.net', AzureUSGovernment: 'azurewebsites.us', AzureChinaCloud: 'chinacloudsites.cn' }
var functionAppName = '${abbreviations.functionApp}${suffix}-${take(token, 6)}'
var appHostName = '${functionAppName}.${appHostNames[environment().name]}'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${abbreviations.identity}${suffix}'
  location: location
  tags: tags
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: {
    workspaceName: '${abbreviations.workspace}${suffix}'
    insightsName: '${abbreviations.insights}${suffix}'
    location: location
    tags: tags
    retentionDays: logRetentionDays
    identityPrincipalId: identity.properties.principalId
  }
}

// The Functions host keeps locks, keys and the package here; nothing of a visit. It uses blobs, and a table for its own events.
module hostStorage 'storage.bicep' = {
  name: 'host-storage'
  params: {
    name: take('${abbreviations.hostStorage}${token}', 24)
    location: location
    tags: tags
    containers: ['package']
    identityPrincipalId: identity.properties.principalId
    roles: [roles.blobDataOwner, roles.tableDataContributor]
    closePublicAccess: isolateNetwork
    workspaceId: monitoring.outputs.workspaceId
    logTableAccess: true
  }
}

module dataStorage 'storage.bicep' = {
  name: 'data-storage'
  params: {
    name: take('${abbreviations.dataStorage}${token}', 24)
    location: location
    tags: tags
    queues: queueNames
    tables: tableNames
    identityPrincipalId: identity.properties.principalId
    roles: [roles.queueDataContributor, roles.tableDataContributor]
    closePublicAccess: isolateNetwork
    workspaceId: monitoring.outputs.workspaceId
    logTableAccess: logTableAccess
  }
}

// The app's own keys, which it may read and never change.
module keyVault 'vault.bicep' = {
  name: 'key-vault'
  params: {
    name: take('${abbreviations.keyVault}${token}', 24)
    location: location
    tags: tags
    grants: concat([{ principalId: identity.properties.principalId, principalType: 'ServicePrincipal', role: roles.secretsUser }], deployer)
    closePublicAccess: isolateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

// Client secrets of EHRs, which the portal writes. Apart, so that the right to write one kind is no right to the other.
module secretVault 'vault.bicep' = {
  name: 'secret-vault'
  params: {
    name: take('${abbreviations.secretVault}${token}', 24)
    location: location
    tags: tags
    grants: [{ principalId: identity.properties.principalId, principalType: 'ServicePrincipal', role: roles.secretsOfficer }]
    closePublicAccess: isolateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module network 'network.bicep' = if (isolateNetwork) {
  name: 'network'
  params: {
    name: '${abbreviations.network}${suffix}'
    gatewayName: '${abbreviations.gateway}${suffix}'
    addressName: '${abbreviations.address}${suffix}'
    endpointPrefix: abbreviations.privateEndpoint
    location: location
    tags: tags
    targets: [
      { name: 'host-blob', id: hostStorage.outputs.id, group: 'blob', zone: 0 }
      { name: 'host-table', id: hostStorage.outputs.id, group: 'table', zone: 2 }
      { name: 'data-queue', id: dataStorage.outputs.id, group: 'queue', zone: 1 }
      { name: 'data-table', id: dataStorage.outputs.id, group: 'table', zone: 2 }
      { name: 'keys', id: keyVault.outputs.id, group: 'vault', zone: 3 }
      { name: 'secrets', id: secretVault.outputs.id, group: 'vault', zone: 3 }
    ]
  }
}

module frontDoor 'frontdoor.bicep' = if (useFrontDoor) {
  name: 'front-door'
  params: {
    name: '${abbreviations.frontDoor}${suffix}'
    tags: tags
    originHostName: appHostName
    workspaceId: monitoring.outputs.workspaceId
  }
}

var frontHostName = useFrontDoor ? frontDoor!.outputs.hostName : appHostName
var address = empty(publicUrl) ? 'https://${frontHostName}' : publicUrl
var regionSettings = {
  '${setting}__queueServiceUri': dataStorage.outputs.queueEndpoint
  '${setting}__tableServiceUri': dataStorage.outputs.tableEndpoint
  '${setting}__credential': 'managedidentity'
  '${setting}__clientId': identity.properties.clientId
}
var fixedSettings = {
  AzureWebJobsStorage__accountName: hostStorage.outputs.name
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AzureWebJobsDisableHomepage: 'true'
  APPLICATIONINSIGHTS_CONNECTION_STRING: monitoring.outputs.connectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '4194304'
  PYTHON_THREADPOOL_THREAD_COUNT: string(httpConcurrency)
  AZURE_CLIENT_ID: identity.properties.clientId
  ANTESALA_ENVIRONMENT: 'production'
  ANTESALA_PUBLIC_URL: address
  ANTESALA_SERVER_URL: address
  ANTESALA_REGIONS: region
  ANTESALA_TENANTS: tenants
  ANTESALA_CLIENT_ID: clientId
  ANTESALA_LOGIN_URL: loginUrl
  ANTESALA_GRAPH_URL: graphUrl
  ANTESALA_KEY_VAULT_URL: keyVault.outputs.uri
  ANTESALA_CLIENT_SECRETS_VAULT_URL: secretVault.outputs.uri
}

module app 'app.bicep' = {
  name: 'app'
  params: {
    name: functionAppName
    planName: '${abbreviations.plan}${suffix}'
    location: location
    tags: tags
    identityId: identity.id
    packageContainerUrl: '${hostStorage.outputs.blobEndpoint}package'
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReady: alwaysReady == 0 ? [] : warm
    subnetId: isolateNetwork ? network!.outputs.appSubnetId : ''
    frontDoorId: useFrontDoor ? frontDoor!.outputs.id : ''
    workspaceId: monitoring.outputs.workspaceId
    settings: union(extraSettings, regionSettings, fixedSettings)
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    prefix: suffix
    actionGroupName: '${abbreviations.actionGroup}${suffix}'
    location: location
    tags: tags
    email: alertEmail
    insightsId: monitoring.outputs.insightsId
    region: region
    healthUrl: '${address}/healthz'
  }
}

module expiry 'expiry.bicep' = {
  name: 'expiry'
  params: {
    topicName: '${abbreviations.eventTopic}${suffix}'
    location: location
    tags: tags
    vaultId: keyVault.outputs.id
    actionGroupId: alerts.outputs.actionGroupId
  }
}

module workbook 'workbook.bicep' = {
  name: 'workbook'
  params: {
    location: location
    tags: tags
    title: 'Antesala ${environmentName} ${region}'
    insightsId: monitoring.outputs.insightsId
  }
}

@description('Where users reach the stamp.')
output publicUrl string = address

@description('Name of the function app, for publishing.')
output functionAppName string = app.outputs.name

@description('Object ID of the stamp\'s identity, for the federated credential of the Entra app.')
output identityPrincipalId string = identity.properties.principalId

@description('Name of the vault that takes the app\'s keys.')
output keyVaultName string = keyVault.outputs.name

@description('The one address that calls to the EHR come from where the network is isolated, else empty.')
output outgoingAddress string = isolateNetwork ? network!.outputs.outgoingAddress : ''
