"""`python -m wiretight demo`."""
