TRANSITIONS: dict[str, dict[str, str]]
