"""The trainer: recipe, data, losses, loop."""
