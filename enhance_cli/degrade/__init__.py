"""Clean to degraded: bicubic, JPEG, noise, blur; each seeded, for one picture (NumPy) and for batches (torch)."""
