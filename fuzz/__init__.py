"""Hostile bytes: seeded mutations by the hundred thousand, and coverage-guided targets. README.md has the rest."""
