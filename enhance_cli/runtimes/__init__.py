"""What computes a network: torch, or another runtime from the graph that torch has exported."""
