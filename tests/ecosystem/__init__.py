"""Libraries that people use, on both sides of a connection: one table of exchanges, the same checks for each."""
