"""Ranking: which of the exceptions that come up in one call it raises."""

cdef object foremost_of(object earlier, object later)
cdef void put_behind(object error, object other) noexcept
