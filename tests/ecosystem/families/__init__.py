"""How each library sends data to a server and gets it back, and how it serves. Nothing here asserts anything."""
