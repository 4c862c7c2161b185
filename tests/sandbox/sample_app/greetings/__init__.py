"""A package beside function_app.py, imported absolutely as the real app does."""

GREETING = "hello"
