"""Sessions, and the terms that a connection which resumes one must share."""
