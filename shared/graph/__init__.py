"""Microsoft Graph as this product uses it: meetings, call-event subscriptions, notifications, people, reports."""
