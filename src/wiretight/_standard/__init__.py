"""The one room that knows the standard library's `ssl`, and the modules of the system as they were at import."""
