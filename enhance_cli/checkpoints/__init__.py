"""Weights: the catalog of what is shipped, the store that finds files, the reader that loads them."""
