"""A hospital, a Microsoft 365 and a Functions host on one machine, for trying and testing Antesala."""
