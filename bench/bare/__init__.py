"""A function app of one function: the floor for a cold start."""
