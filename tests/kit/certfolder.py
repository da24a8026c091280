"""A certificate and its key in files, renewed in the ways of programs that do so."""

from __future__ import annotations

from pathlib import Path

from tests.kit.keys import Material


class Folder:
    """A certificate and its key in files, and the ways in which programs renew them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chain, self.key = path / "chain.pem", path / "key.pem"

    def write(self, made: Material, password: str | None = None) -> None:
        """In place."""
        self.chain.write_text(made.pem)
        self.key.write_text(made.key_pem(password=password))

    def clear(self) -> None:
        for path in (self.chain, self.key):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)

    def rename(self, made: Material) -> None:
        """New files, put into the place of the old ones."""
        for path, text in ((self.chain, made.pem), (self.key, made.key_pem())):
            new = path.with_suffix(".new")
            new.write_text(text)
            new.replace(path)

    def link(self, made: Material) -> None:
        """As certbot: links to numbered files, each exchanged by itself."""
        number = len(list(self.path.glob("archive-*")))
        for path, text in ((self.chain, made.pem), (self.key, made.key_pem())):
            target = self.path / f"archive-{number}-{path.name}"
            target.write_text(text)
            path.unlink(missing_ok=True)
            path.symlink_to(target)

    def link_folder(self, made: Material) -> None:
        """As Kubernetes: links into a folder that is itself a link, which is exchanged."""
        target = self.path / f"..2026_{len(list(self.path.iterdir()))}"
        target.mkdir()
        (target / "chain.pem").write_text(made.pem)
        (target / "key.pem").write_text(made.key_pem())
        (self.path / "..data_tmp").symlink_to(target.name)
        (self.path / "..data_tmp").replace(self.path / "..data")
        for path in (self.chain, self.key):
            if not path.is_symlink():
                path.unlink(missing_ok=True)
                path.symlink_to(Path("..data") / path.name)
