"""`python -m wiretight cert`."""
