"""Datasets, protocols and reports of the benchmark."""
