"""Libraries that do not have the interface of `ssl`, in its shape; and wiretight with a setting."""
