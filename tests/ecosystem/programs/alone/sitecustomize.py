"""A program that finds this when it starts has no TLS but wiretight's: that of the standard library refuses to work."""

import ssl


def refuse(*args, **options):
    raise AssertionError("this TLS is the standard library's")


ssl.SSLContext.wrap_socket = ssl.SSLContext.wrap_bio = refuse
