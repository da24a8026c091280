"""python -m wiretight, as a user meets it."""
