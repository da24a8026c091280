"""The foundation of the core: errors, the lock, the clock, the tables of OpenSSL's constants."""
