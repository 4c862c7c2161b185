"""The configuration portal and its JSON API: a connection is entered, approved, handed over."""
