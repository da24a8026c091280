"""The programs behind `python -m wiretight`, written on the public interface of wiretight alone."""
