"""A function app of one queue function: the floor for write-back that pays for the host, too."""
