#!/usr/bin/env bash
# onnxslim 0.1.98 (2026): a convolution whose result is multiplied by one constant for each column, a vector as long as the image is wide,
# is made into a convolution whose channels are multiplied instead, as soon as there are as many channels as columns. ONNX lays a vector
# along the last axis. Eight channels on an image of 8 columns with a window that falls to 0 at the left and right edge: in the simplified
# network the window lies over the channels, the first and last are 0 everywhere, and values are off by as much as they are large; on 9
# columns, where nothing is merged, both networks agree. The same vector added instead of multiplied is left alone, and onnxsim 0.8.1
# keeps both right. Deep layers of a U-Net have as many channels as columns (64 on 64), and weights along an axis are what positional
# encodings, apodisation and blending windows are. Nothing is said: the comparison of both networks (model_check) is off by default.
#
# Found with Python 3.11.7, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxslim==0.1.98 onnxsim==0.8.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
import onnxsim
import onnxslim
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 8
generator = np.random.default_rng(3)
weights = generator.normal(size=(CHANNELS, 1, 3, 3)).astype(np.float32)


def window(columns):
    return np.sin(np.linspace(0, np.pi, columns)).astype(np.float32)


def network(columns, operator):
    """A convolution with padding, and a window along the columns that multiplies it or is added to it."""
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["filtered"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node(operator, ["filtered", "window"], ["result"]),
    ]
    sizes = {"image": 1, "filtered": CHANNELS, "result": CHANNELS}
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count, columns, columns]) for name, count in sizes.items()]
    stored = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(window(columns), "window")]
    graph = helper.make_graph(nodes, "one", ports[:1], ports[2:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model, image):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def convolved(image):
    """The convolution by hand."""
    padded = np.pad(image[0, 0], 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return np.einsum("yxij,cij->cyx", windows, weights[:, 0])


def copy(model):
    return onnx.ModelProto.FromString(model.SerializeToString())


print(f"onnxslim {version('onnxslim')}, onnxsim {version('onnxsim')}")
found = []
for columns, operator in ((8, "Mul"), (9, "Mul"), (8, "Add")):
    model = network(columns, operator)
    image = generator.normal(size=(1, 1, columns, columns)).astype(np.float32)
    plain = convolved(image)
    right = plain * window(columns) if operator == "Mul" else plain + window(columns)
    results = [run(model, image)[0], run(onnxsim.simplify(copy(model))[0], image)[0], run(onnxslim.slim(copy(model)), image)[0]]
    off = [float(np.abs(result - right).max()) for result in results]
    found.append([value > 1e-4 for value in off])
    print(f"{operator}, {columns} columns: largest value {np.abs(right).max():.1f}; off by {off[0]:.1f}, by onnxsim {off[1]:.1f}, by onnxslim {off[2]:.1f}")
    if columns == CHANNELS and operator == "Mul":
        over_channels = bool(np.allclose(results[2], plain * window(columns)[:, None, None], atol=1e-4))
        print("onnxslim's result is the convolution with the window over its channels:", over_channels)
expected = [[False, False, True], [False] * 3, [False] * 3]
sys.exit(0 if found == expected and over_channels else 1)
PYTHON
