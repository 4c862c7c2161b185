// Azure Front Door before one function app: one host name, TLS, and a web application firewall in prevention mode.

@description('Name of the Front Door profile.')
param name string

@description('Tags of every resource.')
param tags object

@description('Host name of the function app.')
param originHostName string

@description('Workspace that takes the logs.')
param workspaceId string

resource profile 'Microsoft.Cdn/profiles@2024-02-01' = {
  name: name
  location: 'global'
  tags: tags
  sku: { name: 'Premium_AzureFrontDoor' }

  resource endpoint 'afdEndpoints' = {
    name: name
    location: 'global'
    properties: { enabledState: 'Enabled' }
  }

  resource group 'originGroups' = {
    name: 'app'
    properties: {
      loadBalancingSettings: { sampleSize: 4, successfulSamplesRequired: 3 }
      healthProbeSettings: {
        probePath: '/healthz'
        probeRequestType: 'GET'
        probeProtocol: 'Https'
        probeIntervalInSeconds: 60
      }
    }

    resource origin 'origins' = {
      name: 'app'
      properties: {
        hostName: originHostName
        originHostHeader: originHostName
        httpsPort: 443
        enforceCertificateNameCheck: true
      }
    }
  }
}

resource route 'Microsoft.Cdn/profiles/afdEndpoints/routes@2024-02-01' = {
  parent: profile::endpoint
  name: 'all'
  properties: {
    originGroup: { id: profile::group.id }
    supportedProtocols: ['Https']
    patternsToMatch: ['/*']
    forwardingProtocol: 'HttpsOnly'
    httpsRedirect: 'Disabled'
    linkToDefaultDomain: 'Enabled'
  }
  dependsOn: [profile::group::origin]
}

resource firewall 'Microsoft.Network/FrontDoorWebApplicationFirewallPolicies@2024-02-01' = {
  name: replace(name, '-', '')
  location: 'global'
  tags: tags
  sku: { name: 'Premium_AzureFrontDoor' }
  properties: {
    policySettings: { enabledState: 'Enabled', mode: 'Prevention' }
    managedRules: {
      managedRuleSets: [{ ruleSetType: 'Microsoft_DefaultRuleSet', ruleSetVersion: '2.1', ruleSetAction: 'Block' }]
    }
  }
}

resource security 'Microsoft.Cdn/profiles/securityPolicies@2024-02-01' = {
  parent: profile
  name: 'firewall'
  properties: {
    parameters: {
      type: 'WebApplicationFirewall'
      wafPolicy: { id: firewall.id }
      associations: [
        {
          domains: [{ id: profile::endpoint.id }]
          patternsToMatch: ['/*']
        }
      ]
    }
  }
}

// No access log and no firewall log: both keep whole addresses, and those of a launch carry its one-time values.
resource probes 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'probes'
  scope: profile
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FrontDoorHealthProbeLog', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('The profile\'s own ID, which the app demands in X-Azure-FDID.')
output id string = profile.properties.frontDoorId

@description('Host name that users see.')
output hostName string = profile::endpoint.properties.hostName
