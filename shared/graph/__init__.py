"""Microsoft Graph as this product uses it: meetings, subscriptions, notifications, people, reports."""
