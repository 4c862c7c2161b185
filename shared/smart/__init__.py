"""SMART App Launch 2.2 and Backend Services from the client's side, a module per section of it."""
