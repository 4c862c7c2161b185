"""Pure rules of a visit: who was there, when, and what it amounts to. Nothing here calls out or stores."""
