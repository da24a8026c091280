"""`python -m wiretight serve`."""
