"""The small library that the four function packages share; a room imports only from floors below it."""
