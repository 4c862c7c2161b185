// What wakes somebody: lost or stuck write-back, failing requests, forged notifications, an address that does not answer.

@description('Prefix of the rules\' names.')
param prefix string

@description('Name of the action group.')
param actionGroupName string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Where alerts are mailed, or empty.')
param email string

@description('Application Insights component that the queries read.')
param insightsId string

@description('Region of the stamp: the address is tried from places in it.')
param region string

@description('Address that says ok while the app is there.')
param healthUrl string

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'Antesala'
    emailReceivers: empty(email) ? [] : [{ name: 'operators', emailAddress: email, useCommonAlertSchema: true }]
  }
}

// Each row: a name, how serious (1 is worst), how often it looks, over which window, more rows than what, the query, the meaning.
var rules = [
  {
    name: 'writeback-parked'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    above: 0
    query: loadTextContent('../queries/parked.kql')
    text: 'A write-back was refused for good, or a message came back too often. See Undelivered in the portal.'
  }
  {
    name: 'writeback-late'
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    above: 0
    query: loadTextContent('../queries/late.kql')
    text: 'A write-back has waited for the EHR for more than 15 minutes.'
  }
  {
    name: 'server-errors'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    above: 3
    query: loadTextContent('../queries/server-errors.kql')
    text: 'Requests fail on our side, or because the EHR or Microsoft 365 does not answer. The reason is in the log line.'
  }
  {
    name: 'surprises'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    above: 0
    query: loadTextContent('../queries/surprises.kql')
    text: 'The app met something that nobody foresaw. The log line says where.'
  }
  {
    name: 'forged-notifications'
    severity: 3
    every: 'PT15M'
    window: 'PT1H'
    above: 0
    query: loadTextContent('../queries/forged.kql')
    text: 'Somebody sends notifications that Microsoft Graph did not sign.'
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [for rule in rules: {
  name: '${prefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Antesala ${rule.name}'
    description: rule.text
    severity: rule.severity
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: rule.every
    windowSize: rule.window
    autoMitigate: true
    // The component has no rows yet when it is new, and a query over no table is refused.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: rule.above
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [group.id] }
  }
}]

// Application Insights' names of its test locations.
var places = {
  americas: ['us-va-ash-azr', 'us-il-ch1-azr', 'us-ca-sjc-azr']
  emea: ['emea-nl-ams-azr', 'emea-gb-db3-azr', 'emea-se-sto-edge']
  apac: ['apac-sg-sin-azr', 'apac-hk-hkn-azr', 'emea-au-syd-edge']
}[region]

resource knock 'Microsoft.Insights/webtests@2022-06-15' = {
  name: '${prefix}-healthz'
  location: location
  tags: union(tags, { 'hidden-link:${insightsId}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: '${prefix}-healthz'
    Name: 'Antesala answers'
    Kind: 'standard'
    Enabled: true
    Frequency: 300
    Timeout: 30
    RetryEnabled: true
    Locations: [for place in places: { Id: place }]
    Request: { RequestUrl: healthUrl, HttpVerb: 'GET', ParseDependentRequests: false }
    ValidationRules: { ExpectedHttpStatusCode: 200, SSLCheck: true, SSLCertRemainingLifetimeCheck: 14 }
  }
}

resource unavailable 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${prefix}-unavailable'
  location: 'global'
  tags: tags
  properties: {
    description: 'The address does not answer from two places, or its certificate has less than 14 days.'
    severity: 1
    enabled: true
    scopes: [knock.id, insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: knock.id
      componentId: insightsId
      failedLocationCount: 2
    }
    actions: [{ actionGroupId: group.id }]
  }
}

@description('Who is told, for other rules.')
output actionGroupId string = group.id
