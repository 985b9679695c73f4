"""Pictures: files, colour, resizing, metadata. No torch."""
