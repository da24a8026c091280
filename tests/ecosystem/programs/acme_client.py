"""A certificate by ACME's tls-alpn-01: acme_client.py DIRECTORY CA_FILE NAME.

It prints the key authorization, reads a line when that is answered for, and prints the certificate.
"""

import sys

import josepy
from acme import challenges, client, crypto_util, messages
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

directory_url, ca_file, name = sys.argv[1:]

account = josepy.JWKRSA(key=rsa.generate_private_key(65537, 2048))
network = client.ClientNetwork(account, user_agent="wiretight's tests", verify_ssl=ca_file)
acme = client.ClientV2(client.ClientV2.get_directory(directory_url, network), network)
acme.new_account(messages.NewRegistration.from_data(email="tests@example.org", terms_of_service_agreed=True))

key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
order = acme.new_order(crypto_util.make_csr(key, [name]))
(authorization,) = order.authorizations
# The package has no class for this kind of challenge any more.
challenge = next(each for each in authorization.body.challenges if each.chall.to_json()["type"] == "tls-alpn-01")
thumbprint = josepy.b64encode(account.thumbprint(hash_function=hashes.SHA256)).decode()
key_authorization = f"{challenge.chall.to_json()['token']}.{thumbprint}"
print(key_authorization, flush=True)
sys.stdin.readline()
acme.answer_challenge(challenge, challenges.HTTP01Response(key_authorization=key_authorization))
print(acme.poll_and_finalize(order).fullchain_pem, flush=True)
print("done", flush=True)
