"""Many pictures: which, in what order, what is written, and what is remembered of it."""
