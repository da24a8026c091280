from typing_extensions import Buffer

def export_keying_material(
    connection: object, label: str, length: int, context: Buffer | None = None, *, early: bool = False
) -> bytes: ...
