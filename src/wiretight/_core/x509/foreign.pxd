"""Foreign objects: the encodings of other packages' certificates and private keys."""


cdef bint is_foreign(object value)                  # an object with an encoding, and nothing that contains such
# Errors name `argument`
cdef bytes certificate_der(object certificate, str argument)
cdef bytes crl_der(object crl, str argument)
cdef bytes key_der(object key, str argument)        # PKCS#8, not encrypted; its caller wipes it
