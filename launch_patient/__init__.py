"""The patient's door: one click into the visit, without an account, and the device test."""
