"""Applies one network to pictures of any size; never prints."""
