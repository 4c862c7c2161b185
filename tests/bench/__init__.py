"""What keeps launches fast, and the documents of it, held cheaply."""
