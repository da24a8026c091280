"""PROGRAM client CA CHAIN KEY PORT: POST over urllib3, trusting whom the system trusts (which SSL_CERT_FILE says)."""

import ssl
import sys

import truststore
import urllib3

chain, key, port = sys.argv[3:6]
context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
if chain:
    context.load_cert_chain(chain, key)
with urllib3.PoolManager(retries=False, ssl_context=context) as pool:
    answer = pool.request("POST", f"https://localhost:{port}/", body=sys.stdin.buffer.read())
    sys.stdout.buffer.write(answer.data)
