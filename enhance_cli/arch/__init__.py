"""The networks, one file each, and what the engine must know of them."""
