// Tells the operators 30 days before a secret of the vault expires, and when it has. Rotation itself writes no alert.

@description('Name of the event topic.')
param topicName string

@description('Azure region; that of the vault.')
param location string

@description('Tags of every resource.')
param tags object

@description('The vault that is watched.')
param vaultId string

@description('Who is told.')
param actionGroupId string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: topicName
  location: location
  tags: tags
  properties: {
    source: vaultId
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'expiring'
  properties: {
    // An alert as destination takes this schema only, and it is not the default.
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: { includedEventTypes: ['Microsoft.KeyVault.SecretNearExpiry', 'Microsoft.KeyVault.SecretExpired'] }
    destination: {
      endpointType: 'MonitorAlert'
      properties: {
        severity: 'Sev2'
        description: 'A key or certificate of Antesala expires within 30 days, or has expired. Rotate it: docs/keys.md.'
        actionGroups: [actionGroupId]
      }
    }
  }
}
