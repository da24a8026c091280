"""python -m wiretight, from a user's point of view."""
