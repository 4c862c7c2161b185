// A Key Vault in RBAC mode with purge protection. A stamp has two: one with keys the app reads, one whose secrets it writes.

@description('Globally unique name, 3-24 characters.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Who gets which role: objects with principalId, principalType and role (a role definition ID).')
param grants array

@description('Closes the public endpoint; private endpoints are the only way in.')
param closePublicAccess bool

@description('Workspace that takes the audit log.')
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enablePurgeProtection: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: closePublicAccess ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closePublicAccess ? 'Deny' : 'Allow'
    }
  }
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for grant in grants: {
  name: guid(vault.id, grant.principalId, grant.role)
  scope: vault
  properties: {
    principalId: grant.principalId
    principalType: grant.principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
  }
}]

resource auditLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

@description('The vault, for private endpoints and events.')
output id string = vault.id

@description('Name of the vault.')
output name string = vault.name

@description('Address of the vault.')
output uri string = vault.properties.vaultUri
