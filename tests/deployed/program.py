"""A program that is deployed: a handshake, and what needs a data file, or a module that is imported late."""

import sys

import wiretight
from wiretight import MemoryBIO, Policy, SSLContext

ca, certificate, key = sys.argv[1:]
server = SSLContext(wiretight.PROTOCOL_TLS_SERVER)
server.load_cert_chain(certificate, key)
server.apply_policy(Policy.named("mozilla-intermediate-5.7"))
wiretight.create_default_context()
client = wiretight.create_default_context(cafile=ca)
client.verify_flags &= ~wiretight.VERIFY_X509_STRICT  # trustme's CA has no key usage
to_server, to_client = MemoryBIO(), MemoryBIO()
ends = [client.wrap_bio(to_client, to_server, server_hostname="localhost"), server.wrap_bio(to_server, to_client, True)]
shaken = set()
while len(shaken) < 2:
    for end in ends:
        try:
            end.do_handshake()
            shaken.add(end)
        except wiretight.SSLWantReadError:
            pass
print(ends[0].version(), server.metrics().handshakes_done, server.credentials[0].certificates[0].not_after.tzinfo)
