"""oneDNN on x86 CPUs: exact fp32 matrix products, where PyTorch would take MKL, and its memory.

MKL runs them at half of oneDNN's speed on AMD's processors. oneDNN computes in full float32 here,
whatever the process allows elsewhere; the numbers differ by some 4e-7 from MKL's.
"""

from __future__ import annotations

import os
import platform

import torch
from torch import Tensor, nn

#: Compiled products that oneDNN keeps; a shape of batches takes about six.
N_PRIMITIVES = 24


class OneDnnLinear(nn.Linear):
    """A linear layer whose product oneDNN computes."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            input, self.weight, self.bias, "none", [], ""
        )
        return result


def keep_few_primitives() -> None:
    """Let oneDNN forget the products of batch shapes long past, unless the user has said otherwise.

    It would keep 1,024, which are hundreds of MiB where texts have many lengths, for little: texts
    sorted by length seldom come back to a shape. Heeded only before the process's first product.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(N_PRIMITIVES))


def use_onednn(model: nn.Module) -> None:
    """Let oneDNN compute all linear layers of a model, in fp32 on a CPU, where it can."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not _available():
        return
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = OneDnnLinear


def _available() -> bool:
    """Whether this build of PyTorch has the operation, and has it right."""
    try:
        with torch.inference_mode():
            ones = torch.ones(2, 3)
            found = torch.ops.mkldnn._linear_pointwise(ones, ones, None, "none", [], "")
        return bool((found == 3).all())
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
