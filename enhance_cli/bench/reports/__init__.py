"""Rows of the benchmark as files for people and machines: CSV, Markdown, JUnit XML and a page of HTML."""
