// Antesala in a hospital's own subscription: one stamp (app, storage, vaults, telemetry) per region.
// docs/deploy.md has the commands, for azd and for the plain Azure CLI.
targetScope = 'subscription'

@description('Name of this environment, for example "prod"; part of every resource name and of the tag azd-env-name.')
@minLength(2)
@maxLength(16)
param environmentName string

@description('Where the deployment itself is recorded, and where a stamp goes that names no location of its own.')
@metadata({ azd: { type: 'location' } })
param location string

@description('The stamps to deploy. region: americas, emea or apac (where the data of a connection is kept). location: an Azure region inside that geography with Flex Consumption. publicUrl: the https address that users see; left out, the app\'s own.')
@minLength(1)
@maxLength(3)
param stamps array = [
  {
    region: 'americas'
    location: location
  }
]

@description('Application (client) ID of the Entra app registration (infra/entra/register_app.py prints it).')
@minLength(36)
@maxLength(36)
param clientId string

@description('Comma-separated tenant IDs of the organizations that may use this deployment.')
@minLength(36)
param tenants string

@description('Object ID of the person or pipeline that deploys; it may write keys into the vault. Empty: nobody.')
param principalId string = ''

@description('What the principal is: a person, a group, or the service principal of a pipeline.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string = 'User'

@description('Where alerts are mailed. Empty: alert rules exist, nobody is told.')
param alertEmail string = ''

@description('Puts storage and vaults behind private endpoints, and the app into a virtual network with one outgoing address.')
param isolateNetwork bool = false

@description('Puts Azure Front Door with a web application firewall before the apps and closes every other way in.')
param useFrontDoor bool = false

@description('Memory of one instance in MB. 2048 gives one core; less makes cold starts slower.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances of one scale group. The subscription\'s quota of cores in the region bounds it as well.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('HTTP requests that one instance handles at once; the worker gets as many threads. The platform default for Python is 1.')
@minValue(1)
@maxValue(64)
param httpConcurrency int = 16

@description('Instances kept warm in each of three groups: launches, reading notifications, telling the EHR. 0: none, and the first user of the morning waits.')
@minValue(0)
@maxValue(20)
param alwaysReady int = 1

@description('Microsoft Entra login endpoint of your cloud.')
param loginUrl string = environment().authentication.loginEndpoint

@description('Microsoft Graph root of your cloud.')
param graphUrl string = 'https://graph.microsoft.com'

@description('Further settings by name (docs/settings.md), the same in every stamp; for example ANTESALA_PROXY_URL.')
param extraSettings object = {}

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Logs every access to the tables. The log then names rows, and with them the EHR user IDs of clinicians: decide with the privacy officer.')
param logTableAccess bool = false

var abbreviations = loadJsonContent('abbreviations.json')
var tags = { 'azd-env-name': environmentName }

resource groups 'Microsoft.Resources/resourceGroups@2024-03-01' = [for item in stamps: {
  name: '${abbreviations.resourceGroup}antesala-${environmentName}-${item.region}'
  location: item.?location ?? location
  tags: tags
}]

module stamp 'modules/stamp.bicep' = [for (item, index) in stamps: {
  name: 'stamp-${item.region}'
  scope: groups[index]
  params: {
    environmentName: environmentName
    region: item.region
    location: item.?location ?? location
    publicUrl: item.?publicUrl ?? ''
    clientId: clientId
    tenants: tenants
    principalId: principalId
    principalType: principalType
    alertEmail: alertEmail
    isolateNetwork: isolateNetwork
    useFrontDoor: useFrontDoor
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReady: alwaysReady
    loginUrl: loginUrl
    graphUrl: graphUrl
    extraSettings: extraSettings
    logRetentionDays: logRetentionDays
    logTableAccess: logTableAccess
    tags: tags
  }
}]

@description('Per stamp: the region, where users reach it, its group, app and vault, and the identity for the federated credential of the Entra app.')
output ANTESALA_STAMPS array = [for (item, index) in stamps: {
  region: item.region
  url: stamp[index].outputs.publicUrl
  resourceGroup: groups[index].name
  functionApp: stamp[index].outputs.functionAppName
  identityPrincipalId: stamp[index].outputs.identityPrincipalId
  keyVault: stamp[index].outputs.keyVaultName
  outgoingAddress: stamp[index].outputs.outgoingAddress
}]

@description('Where the deployment is recorded.')
output AZURE_LOCATION string = location

@description('The tenant of the subscription.')
output AZURE_TENANT_ID string = tenant().tenantId
