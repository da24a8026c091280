"""What the core promises, shown on connections whose every byte the test holds, and on threads that never rest."""
