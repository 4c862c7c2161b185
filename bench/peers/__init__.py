"""Two SMART clients that others use, each a small app of its own."""
