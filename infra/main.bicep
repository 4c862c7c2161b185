// Antesala in a hospital's own subscription: one stamp (app, storage, vaults, telemetry) per region.
// Deploy with `azd up`, or: az deployment sub create --location <location> --template-file infra/main.bicep --parameters ...
targetScope = 'subscription'

@description('Name of this environment, for example "prod"; part of every resource name and of the tag azd-env-name.')
@minLength(2)
@maxLength(16)
param environmentName string

@description('Where the deployment itself is recorded. Each stamp has its own location.')
@metadata({ azd: { type: 'location' } })
param location string

@description('The stamps to deploy. region: americas, emea or apac (where data of a connection is kept). location: an Azure region inside that geography with Flex Consumption. publicUrl: https address users see, or empty for the app\'s own host name.')
param stamps array = [
  {
    region: 'americas'
    location: location
    publicUrl: ''
  }
]

@description('Application (client) ID of the Entra app registration (docs/deploy.md, step 1).')
@minLength(36)
@maxLength(36)
param clientId string

@description('Comma-separated tenant IDs of the organizations that may use this deployment.')
@minLength(36)
param tenants string

@description('Object ID of the person or pipeline that deploys; it may write keys into the vault. Empty: nobody.')
param principalId string = ''

@description('Where alerts are mailed. Empty: alert rules exist, nobody is told.')
param alertEmail string = ''

@description('Puts storage and vaults behind private endpoints and the app into a virtual network.')
param isolateNetwork bool = false

@description('Puts Azure Front Door before the apps and closes every other way in.')
param useFrontDoor bool = false

@description('Memory of one instance in MB. 2048 gives one core; less makes cold starts slower.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances of one scale group.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('HTTP requests that one instance handles at once; the worker gets as many threads. The platform default for Python is 1.')
@minValue(1)
@maxValue(64)
param httpConcurrency int = 16

@description('Instances kept warm for launches, for reading notifications and for telling the EHR.')
@minValue(0)
@maxValue(20)
param alwaysReady int = 1

@description('Microsoft Entra login endpoint of your cloud.')
param loginUrl string = environment().authentication.loginEndpoint

@description('Microsoft Graph root of your cloud.')
param graphUrl string = 'https://graph.microsoft.com'

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

var abbreviations = loadJsonContent('abbreviations.json')
var tags = { 'azd-env-name': environmentName }

resource groups 'Microsoft.Resources/resourceGroups@2024-03-01' = [for stamp in stamps: {
  name: '${abbreviations.resourceGroup}antesala-${environmentName}-${stamp.region}'
  location: stamp.location
  tags: tags
}]

module stamp 'modules/stamp.bicep' = [for (item, index) in stamps: {
  name: 'stamp-${item.region}'
  scope: groups[index]
  params: {
    environmentName: environmentName
    region: item.region
    location: item.location
    publicUrl: item.publicUrl
    clientId: clientId
    tenants: tenants
    principalId: principalId
    alertEmail: alertEmail
    isolateNetwork: isolateNetwork
    useFrontDoor: useFrontDoor
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReady: alwaysReady
    loginUrl: loginUrl
    graphUrl: graphUrl
    logRetentionDays: logRetentionDays
    tags: tags
  }
}]

@description('Per stamp: the region, where users reach it, and the identity to name in the federated credential of the Entra app.')
output ANTESALA_STAMPS array = [for (item, index) in stamps: {
  region: item.region
  url: stamp[index].outputs.publicUrl
  functionApp: stamp[index].outputs.functionAppName
  identityPrincipalId: stamp[index].outputs.identityPrincipalId
  keyVault: stamp[index].outputs.keyVaultName
}]
output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
