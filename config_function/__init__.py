"""The configuration portal and its JSON API: where a hospital's connection is entered, approved and handed over."""
