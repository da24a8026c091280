"""What is measured: one file per measure, each with UNIT and sample()."""
