"""Metrics: the tally of a context, as Python objects with OpenSSL's names for what was negotiated."""

from wiretight._core.context.context cimport Context, settings_of, trial
from wiretight._core.context.tally cimport (
    CIPHER, ENDING, FAILURE, GROUP, RESUMPTION, VERSION, WT_BUCKETS, WT_SHARDS, Tally, wt_bucket_limits, wt_read,
    wt_tally,
)
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CIPHER, SSL_CIPHER_find, SSL_CIPHER_get_name, SSL_free, SSL_group_to_name,
)


def numbers_of(Context context not None, /):
    """All counts by name. What has ended is read before what has begun, so that no difference is negative. Since 0.1.

    OpenSSL: SSL_CIPHER_find(3), SSL_group_to_name(3)
    """
    cdef Tally tally = context.tally
    cdef wt_tally *numbers = tally.numbers
    cdef dict counts = {
        "endings": tally.kinds(ENDING),
        "other_endings": tally.others(ENDING),
        "failures": tally.kinds(FAILURE),
        "other_failures": tally.others(FAILURE),
        "resumptions": tally.kinds(RESUMPTION),
        "versions": tally.kinds(VERSION),
        "nanoseconds": wt_read(&numbers.nanoseconds),
        "durations": [],
        "ciphers": {},
        "groups": {},
        "tickets_sent": wt_read(&numbers.tickets_sent),
    }
    cdef SSL *ssl = trial(context, settings_of(context))
    try:
        for key, count in tally.kinds(CIPHER).items():
            counts["ciphers"][cipher_name(ssl, key)] = count
        for key, count in tally.kinds(GROUP).items():
            counts["groups"][group_name(ssl, key)] = count
    finally:
        SSL_free(ssl)
    counts["done"] = wt_read(&numbers.done)
    counts["started"] = wt_read(&numbers.started)
    for i in range(WT_BUCKETS):
        counts["durations"].append((wt_bucket_limits[i], wt_read(&numbers.durations[i])))
    for name in ("bytes_in", "bytes_out", "records_in", "records_out"):
        counts[name] = 0
    for i in range(WT_SHARDS):
        counts["bytes_in"] += wt_read(&numbers.traffic[i].bytes_in)
        counts["bytes_out"] += wt_read(&numbers.traffic[i].bytes_out)
        counts["records_in"] += wt_read(&numbers.traffic[i].records_in)
        counts["records_out"] += wt_read(&numbers.traffic[i].records_out)
    return counts


cdef str cipher_name(SSL *ssl, unsigned long number):
    """OpenSSL: SSL_CIPHER_find(3)"""
    cdef unsigned char octets[2]
    octets[0], octets[1] = number >> 8 & 0xFF, number & 0xFF
    cdef const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, octets)
    return f"0x{number & 0xFFFF:04x}" if cipher == NULL else SSL_CIPHER_get_name(cipher).decode("ascii")


cdef str group_name(SSL *ssl, int number):
    """OpenSSL: SSL_group_to_name(3)"""
    cdef const char *name = SSL_group_to_name(ssl, number)
    return f"0x{number & 0xFFFF:04x}" if name == NULL else name.decode("ascii")
