"""The terminal: the only room that knows typer and rich, and the only one that prints."""
