"""install(): wiretight in the place of the standard `ssl`, in whatever has imported it."""
