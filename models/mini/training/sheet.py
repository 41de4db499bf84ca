"""Contact sheets."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import checkpoint


def to_bytes(pictures: torch.Tensor) -> np.ndarray:
    """(n, 3, h, w) in [-1, 1] -> (n, h, w, 3) bytes."""
    values = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round()
    return values.byte().permute(0, 2, 3, 1).cpu().numpy()


def save(path: Path, rows: list[np.ndarray]) -> None:
    """Writes rows of pictures, each (n, h, w, 3) bytes, below each other."""
    whole = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    checkpoint.replace(path, lambda temporary: Image.fromarray(whole).save(temporary, format="PNG"))
