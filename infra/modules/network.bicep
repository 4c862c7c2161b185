// A virtual network for the app with one outgoing address, and private endpoints for its storage and vaults.

@description('Name of the virtual network.')
param name string

@description('Name of the gateway for outgoing calls.')
param gatewayName string

@description('Name of its public address.')
param addressName string

@description('Prefix of the private endpoints\' names.')
param endpointPrefix string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('What gets a private endpoint: objects with name, id, group and zone.')
param targets array

// New networks have no way out by themselves. With a gateway, calls come from one address that an EHR's firewall can admit.
resource address 'Microsoft.Network/publicIPAddresses@2024-01-01' = {
  name: addressName
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/natGateways@2024-01-01' = {
  name: gatewayName
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpAddresses: [{ id: address.id }]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.40.0.0/24'] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.40.0.0/26'
          natGateway: { id: gateway.id }
          delegations: [
            {
              name: 'flex'
              properties: { serviceName: 'Microsoft.App/environments' }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: { addressPrefix: '10.40.0.64/26' }
      }
    ]
  }
}

var zones = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
]

resource dns 'Microsoft.Network/privateDnsZones@2020-06-01' = [for zone in zones: {
  name: zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [for (zone, index) in zones: {
  parent: dns[index]
  name: name
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: network.id }
  }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-01-01' = [for target in targets: {
  name: '${endpointPrefix}${target.name}'
  location: location
  tags: tags
  properties: {
    subnet: { id: '${network.id}/subnets/endpoints' }
    privateLinkServiceConnections: [
      {
        name: target.name
        properties: {
          privateLinkServiceId: target.id
          groupIds: [target.group]
        }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-01-01' = [for (target, index) in targets: {
  parent: endpoints[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: target.group
        properties: { privateDnsZoneId: dns[target.zone].id }
      }
    ]
  }
}]

@description('Subnet that the app calls out from.')
output appSubnetId string = '${network.id}/subnets/app'

@description('Address that its calls come from.')
output outgoingAddress string = address.properties.ipAddress
