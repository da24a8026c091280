"""What everything else stands on: errors, the lock, the clock, the tables of OpenSSL's constants."""
