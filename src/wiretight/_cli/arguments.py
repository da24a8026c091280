"""Arguments: the types of options that several commands have."""

import argparse
import re
from collections.abc import Callable


def whole_number(least: int, most: int, kind: str = "number") -> Callable[[str], int]:
    """The type of an option that takes a number without a fraction; `kind` is what an error calls it."""

    def read(text: str) -> int:
        # Not str.isdigit(): that is true of digits which int() refuses, such as "²".
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {kind} from {least} to {most}")
        return int(text)

    return read


def seconds(text: str) -> float:
    """The type of a --timeout."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to 3600")
    return number
