"""What PyInstaller must know to freeze a program that imports wiretight."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """Where the hook is: pyproject.toml has this function as an entry point, which PyInstaller calls. Since 0.1."""
    return [str(Path(__file__).parent)]
