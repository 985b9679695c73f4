"""Clean to degraded: bicubic, JPEG, noise, blur; for one picture (NumPy) and for batches (torch)."""
