"""The clinician's door: launch, the one-time link to Microsoft 365, and the live view of a visit."""
