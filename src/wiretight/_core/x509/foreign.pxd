"""Foreign objects: the encodings of other packages' certificates and private keys."""


# Errors name `argument`
cdef bytes certificate_der(object certificate, str argument)
cdef bytes key_der(object key, str argument)        # PKCS#8, not encrypted; its caller wipes it
