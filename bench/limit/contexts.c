/* Contexts with the default trust: what the first, a later one, and many of them cost. contexts.py is the same in Python. */
#include "limit.h"

static SSL_CTX *trusting(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    need(ctx != NULL && SSL_CTX_set_default_verify_paths(ctx) == 1, "SSL_CTX_set_default_verify_paths");
    return ctx;
}

void contexts(void)
{
    size_t first = option("first"), count = option("count"), memory = option("memory");
    double start = cpu_seconds();

    SSL_CTX_free(trusting());
    double spent = cpu_seconds() - start;
    if (!first) {
        /* Kept, not freed: that is what memory is about. */
        SSL_CTX **kept = zeroed(count * sizeof *kept);
        long before = resident_kib();
        start = cpu_seconds();
        for (size_t i = 0; i < count; i++)
            kept[i] = trusting();
        spent = (cpu_seconds() - start) / count;
        if (memory) {
            print_sample(NULL, (resident_kib() - before) / 1024.0 / count * 1000, "");
            return;
        }
        for (size_t i = 0; i < count; i++)
            SSL_CTX_free(kept[i]);
    }
    print_sample(NULL, spent * 1e3, "");
}
