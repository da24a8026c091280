"""Sessions, and the terms that a connection must share to resume one."""
