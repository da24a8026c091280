"""`python -m wiretight ca`."""
