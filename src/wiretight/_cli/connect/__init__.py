"""`python -m wiretight connect`."""
