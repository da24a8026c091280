"""TLS on asyncio's event loops, without memory BIOs between the loop and the connection."""
