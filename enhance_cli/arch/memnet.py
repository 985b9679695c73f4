"""MemNet: a persistent memory network for image restoration (Tai et al., ICCV 2017).

Section 3.1: feature extraction, memory blocks, reconstruction of a residual. Section 3.2: each block's
recursive unit makes short-term memories, and a gate, a 1x1 convolution, weighs them together with the
long-term ones, the outputs of all earlier blocks. Section 3.3: every block's output is reconstructed by the
same convolution, and the result is the learned weighted sum of these predictions. All convolutions come
after batch norm and ReLU, the first one too.

This is the network of the authors' Caffe description (M6R6), whose residual units do not share their
weights as the paper's text has it: 2.9 million parameters and not 677 thousand. The state-dict keys are our
own, since the authors published no PyTorch file. The one known PyTorch rewriting computes something
else (blocks that are run through six times, 1x1 reconstruction to RGB), so its files are not read.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec


class MemNet(nn.Module):
    """x: (N, 1, H, W) in [0, 1] -> same shape, not clipped; for super-resolution enlarged beforehand.

    The defaults are M6R6: n_blocks memory blocks of n_units residual units.
    """

    def __init__(self, *, n_feats: int = 64, n_blocks: int = 6, n_units: int = 6) -> None:
        super().__init__()
        self.extract = preactivated(1, n_feats)
        self.blocks = nn.ModuleList(MemoryBlock(n_feats, i + 1, n_units) for i in range(n_blocks))
        self.norms = nn.ModuleList(nn.BatchNorm2d(n_feats) for _ in range(n_blocks))
        self.reconstruct = conv(n_feats, 1)
        self.weights = nn.Parameter(torch.full((n_blocks,), 1 / n_blocks))

    def forward(self, x: Tensor) -> Tensor:
        """The weighted sum of the pictures that the memory blocks predict."""
        memories = [self.extract(x)]
        for block in self.blocks:
            memories.append(block(memories))
        residuals = [
            self.reconstruct(norm(memory).relu())
            for norm, memory in zip(self.norms, memories[1:], strict=True)
        ]
        predictions = x.unsqueeze(-1) + torch.stack(residuals, -1)
        return (predictions * self.weights).sum(-1)


class MemoryBlock(nn.Module):
    """A recursive unit of n_units residual units, and a gate over their outputs and n_memories before."""

    def __init__(self, n_feats: int, n_memories: int, n_units: int) -> None:
        super().__init__()
        self.units = nn.ModuleList(
            nn.Sequential(preactivated(n_feats, n_feats), preactivated(n_feats, n_feats))
            for _ in range(n_units)
        )
        self.gate = preactivated((n_memories + n_units) * n_feats, n_feats, 1)

    def forward(self, memories: list[Tensor]) -> Tensor:
        """memories: n_memories long-term ones, (N, n_feats, H, W) each, oldest first; the next one out."""
        states = [memories[-1]]
        for unit in self.units:
            states.append(states[-1] + unit(states[-1]))
        return self.gate(torch.cat([*memories, *states[1:]], 1))


def preactivated(n_in: int, n_out: int, size: int = 3) -> nn.Sequential:
    """Batch norm, ReLU, convolution."""
    return nn.Sequential(nn.BatchNorm2d(n_in), nn.ReLU(), conv(n_in, n_out, size))


def spec(*, n_feats: int = 64, n_blocks: int = 6, n_units: int = 6) -> ArchSpec:
    """How `MemNet` with these parameters wants to be fed."""
    # Two convolutions for each unit; extraction and reconstruction.
    return ArchSpec(colour="gray", halo=2 * n_blocks * n_units + 2)
