// One page that shows how a stamp does: launches by reason, visits, write-back age, what was parked. It names nobody.

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Title of the page.')
param title string

@description('Application Insights component that the queries read.')
param insightsId string

var views = [
  { name: 'launches', title: 'Launches by reason', shape: 'barchart', query: loadTextContent('../queries/launches.kql') }
  { name: 'visits', title: 'Visits that are over, per day and outcome', shape: 'timechart', query: loadTextContent('../queries/visits.kql') }
  { name: 'age', title: 'Seconds from what happened to what the EHR was told', shape: 'timechart', query: loadTextContent('../queries/age.kql') }
  { name: 'dead-letters', title: 'Parked write-backs by reason', shape: 'table', query: loadTextContent('../queries/dead-letters.kql') }
  { name: 'legs', title: 'Milliseconds of a launch and whose they were (95 of 100)', shape: 'table', query: loadTextContent('../queries/legs.kql') }
  { name: 'slow', title: 'Milliseconds of a request by route', shape: 'table', query: loadTextContent('../queries/slow.kql') }
]

var charts = [for view in views: {
  type: 3
  name: view.name
  content: {
    version: 'KqlItem/1.0'
    title: view.title
    query: view.query
    size: 0
    queryType: 0
    resourceType: 'microsoft.insights/components'
    timeContext: { durationMs: 604800000 }
    visualization: view.shape
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  name: guid(insightsId, 'antesala')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: title
    category: 'workbook'
    sourceId: insightsId
    serializedData: string({
      version: 'Notebook/1.0'
      items: charts
      fallbackResourceIds: [insightsId]
    })
  }
}
