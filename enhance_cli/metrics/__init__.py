"""PSNR, SSIM and PSNR-B in float64; no torch."""
