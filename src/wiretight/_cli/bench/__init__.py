"""bench: a small measurement of wiretight beside the standard `ssl`, here and now. scripts/bench is the large one."""
