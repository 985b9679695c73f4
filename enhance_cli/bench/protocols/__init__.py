"""The papers' protocols: what is given to a network, and what its result is compared with."""
