"""Measures the connector beside its floors and peers: ``make bench`` (``make bench ONLY=smart``)."""
