"""`wiretight trace`, and `wiretight run --trace`."""
