"""How an EHR is told who connected to a visit: one port, one module an adapter."""
