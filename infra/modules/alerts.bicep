// What wakes somebody: lost or stuck write-back, failing requests, expiring certificates.

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

// Each row: a name, how serious (1 is worst), how often it looks, over which window, the query, and what it means.
var rules = [
  {
    name: 'writeback-parked'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    query: 'traces | where customDimensions.event == "parked"'
    text: 'A write-back was refused for good or came back too often. See Dead letters in the portal.'
  }
  {
    name: 'writeback-late'
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    query: 'traces | where customDimensions.event == "retry" and todouble(customDimensions.age_seconds) > 900'
    text: 'A write-back has waited for the EHR for more than 15 minutes.'
  }
  {
    name: 'server-errors'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    query: 'requests | where toint(resultCode) >= 500'
    text: 'Requests fail on our side or because the EHR or Microsoft 365 does not answer.'
  }
  {
    name: 'forged-notifications'
    severity: 3
    every: 'PT15M'
    window: 'PT1H'
    query: 'traces | where customDimensions.event == "not-genuine"'
    text: 'Somebody sends notifications that Microsoft Graph did not sign.'
  }
  {
    name: 'certificate-expiring'
    severity: 2
    every: 'P1D'
    window: 'P1D'
    query: 'traces | where customDimensions.event == "certificate-expiring"'
    text: 'The Graph encryption certificate or a signing key expires within 30 days. Rotate it.'
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = [for rule in rules: {
  name: '${prefix}-${rule.name}'
  location: location
  tags: tags
  properties: {
    displayName: rule.name
    description: rule.text
    severity: rule.severity
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: rule.every
    windowSize: rule.window
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [group.id] }
  }
}]
