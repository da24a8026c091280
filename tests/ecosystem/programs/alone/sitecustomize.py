"""A program that finds this when it starts has no TLS but wiretight's: that of the standard library refuses to work."""

import ssl

# A function of the module itself: install() refuses where a program has replaced parts of `ssl`.
exec(
    """
def _refuse(*args, **options):
    raise AssertionError("this TLS is the standard library's")
""",
    vars(ssl),
)
ssl.SSLContext.wrap_socket = ssl.SSLContext.wrap_bio = ssl._refuse
