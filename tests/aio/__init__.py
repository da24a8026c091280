"""The native transport of asyncio's event loops and uvloop's."""
