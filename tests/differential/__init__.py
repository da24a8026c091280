"""The same small programs on the standard `ssl` and on wiretight."""
