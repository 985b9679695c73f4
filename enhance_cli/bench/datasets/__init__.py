"""Test sets: where they lie, what they are called and what they are measured for."""
