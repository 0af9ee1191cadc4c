#!/usr/bin/env python3
"""The small networks of tests/onnx.rs with what ONNX Runtime makes of them.

    python3.11 -m venv venv
    venv/bin/pip install onnx==1.23.2 onnxruntime==1.32.0 numpy
    venv/bin/python crates/alnm-deep/tests/golden/make_onnx.py

Each network is written as NAME.onnx; its inputs and outputs as NAME.values: a line of JSON, `[["float32", [1, 3]], ...]`, inputs
first, after which their numbers follow. Weights are drawn from a fixed seed. The graphs are those of PyTorch's exporter for these
architectures: a residual network with batch normalisations, dense blocks, a grouped and depthwise network, a transformer, a 3D U-Net
with transposed convolutions, and one with instance normalisations and leaky units as nnU-Net has them.
"""

import json
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).resolve().parent / "onnx"


class Graph:
    def __init__(self, name, opset, inputs):
        self.name, self.opset, self.inputs = name, opset, inputs
        self.random = numpy.random.default_rng(sum(map(ord, name)))
        self.nodes, self.initializers, self.count = [], [], 0

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"v{self.count + place}" for place in range(outputs)]
        self.count += outputs
        inputs = [self.constant(x) if isinstance(x, (list, numpy.ndarray, float)) else x for x in inputs]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values):
        array = numpy.asarray(values)
        array = array.astype(numpy.int64 if array.dtype.kind == "i" or array.size == 0 else numpy.float32)
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def draw(self, *shape, scale=None):
        scale = scale or (2 / max(1, numpy.prod(shape[1:]))) ** 0.5
        return self.constant((self.random.standard_normal(shape) * scale).astype(numpy.float32))

    def spread(self, size, low, high):
        return self.constant(self.random.uniform(low, high, size).astype(numpy.float32))

    def conv(self, x, inputs, outputs, kernel, bias=True, **attributes):
        weight = self.draw(outputs, inputs // attributes.get("group", 1), *kernel)
        return self.op("Conv", x, weight, *([self.spread(outputs, -0.1, 0.1)] if bias else []), kernel_shape=kernel, **attributes)

    def norm(self, x, channels):
        of = lambda low, high: self.spread(channels, low, high)
        return self.op("BatchNormalization", x, of(0.5, 1.5), of(-0.2, 0.2), of(-0.2, 0.2), of(0.5, 1.5))

    def instance(self, x, channels):
        return self.op("InstanceNormalization", x, self.spread(channels, 0.5, 1.5), self.spread(channels, -0.2, 0.2))

    def write(self, *outputs):
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.inputs.items()]
        ends = [helper.make_tensor_value_info(name, kind, [None] * rank) for name, kind, rank in outputs]
        graph = helper.make_graph(self.nodes, self.name, infos, ends, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="make_onnx")
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, FOLDER / f"{self.name}.onnx")
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        values = [self.random.standard_normal([size or 1 for size in shape]).astype(numpy.float32) for shape in self.inputs.values()]
        values += session.run(None, dict(zip(self.inputs, values)))
        header = json.dumps([[str(value.dtype), list(value.shape)] for value in values])
        with open(FOLDER / f"{self.name}.values", "wb") as file:
            file.write(header.encode() + b"\n" + b"".join(numpy.ascontiguousarray(value).tobytes() for value in values))


F = TensorProto.FLOAT


def residual():
    g = Graph("residual", 13, {"image": [2, 3, 19, 21]})
    x = g.op("Relu", g.norm(g.conv("image", 3, 16, [7, 7], bias=False, strides=[2, 2], pads=[3] * 4), 16))
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for width, stride in [(16, 1), (32, 2)]:
        y = g.op("Relu", g.norm(g.conv(x, 16, width, [3, 3], bias=False, strides=[stride] * 2, pads=[1] * 4), width))
        y = g.norm(g.conv(y, width, width, [3, 3], bias=False, pads=[1] * 4), width)
        if stride > 1:
            x = g.norm(g.conv(x, 16, width, [1, 1], bias=False, strides=[stride] * 2), width)
        x = g.op("Relu", g.op("Add", y, x))
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    g.write((g.op("Gemm", x, g.draw(5, 32), g.spread(5, -1, 1), transB=1), F, 2))


def dense():
    g = Graph("dense", 11, {"image": [1, 3, 24, 20]})
    x, channels = g.conv("image", 3, 12, [3, 3], pads=[1] * 4), 12
    for _ in range(3):
        y = g.op("Relu", g.norm(x, channels))
        y = g.op("Relu", g.norm(g.conv(y, channels, 16, [1, 1], bias=False), 16))
        x, channels = g.op("Concat", x, g.conv(y, 16, 8, [3, 3], bias=False, pads=[1] * 4), axis=1), channels + 8
    x = g.op("AveragePool", g.op("Relu", g.norm(x, channels)), kernel_shape=[2, 2], strides=[2, 2])
    x = g.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1, count_include_pad=1)
    x = g.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    g.write((g.op("Softmax", x), F, 2), (g.op("ArgMax", x, axis=1, keepdims=0), TensorProto.INT64, 1))


def grouped():
    g = Graph("grouped", 18, {"image": [None, 3, 17, 23]})
    x = g.conv("image", 3, 16, [3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    x = g.op("HardSwish", x)
    x = g.op("Clip", g.conv(x, 16, 16, [3, 3], group=16, pads=[1] * 4), 0.0, 6.0)
    s = g.op("Sigmoid", g.conv(g.op("GlobalAveragePool", x), 16, 16, [1, 1]))
    x = g.op("Mul", x, s)
    x = g.conv(x, 16, 24, [3, 3], group=4, dilations=[2, 1], pads=[2, 1, 2, 1])
    x = g.op("PRelu", x, g.spread((24, 1, 1), 0.1, 0.4))
    x = g.op("Resize", x, "", [1.0, 1.0, 2.0, 2.0], mode="linear", coordinate_transformation_mode="half_pixel")
    y = g.op("Resize", x, "", "", g.op("Concat", g.op("Slice", g.op("Shape", x), [0], [2]), [7, 11], axis=0), mode="nearest",
             coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = g.op("Pad", y, [0, 0, 1, 2, 0, 0, 2, 1], mode="reflect")
    parts = g.op("Split", x, [8, 16], outputs=2, axis=1)
    x = g.op("Concat", g.op("LeakyRelu", parts[1], alpha=0.2), g.op("Tanh", parts[0]), axis=1)
    x = g.op("DepthToSpace", x, blocksize=2, mode="CRD")
    g.write((x, F, 4))


def transformer():
    g = Graph("transformer", 17, {"image": [2, 3, 16, 16]})
    width, heads, tokens = 24, 3, 17
    x = g.conv("image", 3, width, [4, 4], strides=[4, 4])
    shape = g.op("Shape", x)
    batch = g.op("Gather", shape, g.constant(numpy.array(0)), axis=0)
    x = g.op("Reshape", x, g.op("Concat", g.op("Unsqueeze", batch, [0]), [width, 16], axis=0))
    x = g.op("Transpose", x, perm=[0, 2, 1])
    token = g.op("Expand", g.draw(1, 1, width), g.op("Concat", g.op("Unsqueeze", batch, [0]), [1, 1], axis=0))
    x = g.op("Add", g.op("Concat", token, x, axis=1), g.draw(1, tokens, width, scale=0.1))
    for _ in range(2):
        y = g.op("LayerNormalization", x, g.spread(width, 0.5, 1.5), g.spread(width, -0.2, 0.2), axis=-1)
        y = g.op("Add", g.op("MatMul", y, g.draw(width, 3 * width, scale=0.3)), g.spread(3 * width, -0.1, 0.1))
        y = g.op("Transpose", g.op("Reshape", y, [0, 0, 3, heads, width // heads]), perm=[2, 0, 3, 1, 4])
        q, k, v = [g.op("Squeeze", part, [0]) for part in g.op("Split", y, outputs=3, axis=0)]
        a = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
        a = g.op("Softmax", g.op("Div", a, float(numpy.sqrt(width / heads))), axis=-1)
        y = g.op("Reshape", g.op("Transpose", g.op("MatMul", a, v), perm=[0, 2, 1, 3]), [0, 0, width])
        y = g.op("Add", g.spread(width, -0.1, 0.1), g.op("MatMul", y, g.draw(width, width, scale=0.2)))
        x = g.op("Add", x, y)
        y = g.op("LayerNormalization", x, g.spread(width, 0.5, 1.5), g.spread(width, -0.2, 0.2), axis=-1, epsilon=1e-6)
        y = g.op("Add", g.op("MatMul", y, g.draw(width, 48, scale=0.2)), g.spread(48, -0.1, 0.1))
        y = g.op("Mul", g.op("Mul", y, g.op("Add", g.op("Erf", g.op("Div", y, float(numpy.sqrt(2)))), 1.0)), 0.5)
        x = g.op("Add", x, g.op("MatMul", y, g.draw(48, width, scale=0.2)))
    x = g.op("Gather", x, g.constant(numpy.array(0)), axis=1)
    g.write((g.op("Gemm", x, g.draw(width, 7), g.spread(7, -1, 1), alpha=0.5, beta=2.0), F, 2))


def unet3d():
    g = Graph("unet3d", 20, {"volume": [1, 1, 8, 12, 8]})
    def double(x, inputs, outputs):
        for channels in (inputs, outputs):
            x = g.op("Relu", g.norm(g.conv(x, channels, outputs, [3, 3, 3], bias=False, pads=[1] * 6), outputs))
        return x
    a = double("volume", 1, 8)
    b = double(g.op("MaxPool", a, kernel_shape=[2] * 3, strides=[2] * 3), 8, 12)
    c = double(g.op("MaxPool", b, kernel_shape=[2] * 3, strides=[2] * 3), 12, 16)
    up = g.op("ConvTranspose", c, g.draw(16, 12, 2, 2, 2, scale=0.3), g.spread(12, -0.1, 0.1), kernel_shape=[2] * 3, strides=[2] * 3)
    b = double(g.op("Concat", up, b, axis=1), 24, 12)
    up = g.op("Resize", b, "", [1.0, 1.0, 2.0, 2.0, 2.0], mode="linear", coordinate_transformation_mode="align_corners")
    a = double(g.op("Concat", up, a, axis=1), 20, 8)
    x = g.conv(a, 8, 2, [1, 1, 1])
    g.write((x, F, 5), (g.op("Softmax", x, axis=1), F, 5))


def nnunet():
    g = Graph("nnunet", 12, {"volume": [1, 2, 8, 16, 12]})
    def block(x, inputs, outputs, kernel, strides):
        pads = [size // 2 for size in kernel]
        x = g.conv(x, inputs, outputs, kernel, strides=strides, pads=pads + pads)
        return g.op("LeakyRelu", g.instance(x, outputs), alpha=0.01)
    a = block("volume", 2, 8, [1, 3, 3], [1, 1, 1])
    b = block(a, 8, 16, [3, 3, 3], [1, 2, 2])
    c = block(b, 16, 24, [3, 3, 3], [2, 2, 2])
    up = g.op("ConvTranspose", c, g.draw(24, 16, 2, 2, 2, scale=0.3), kernel_shape=[2] * 3, strides=[2] * 3)
    b = block(g.op("Concat", up, b, axis=1), 32, 16, [3, 3, 3], [1, 1, 1])
    up = g.op("ConvTranspose", b, g.draw(16, 4, 1, 3, 3, scale=0.3), g.spread(8, -0.1, 0.1), group=2, kernel_shape=[1, 3, 3],
              strides=[1, 2, 2], pads=[0, 1, 1, 0, 1, 1], output_padding=[0, 1, 1])
    a = block(g.op("Concat", up, a, axis=1), 16, 8, [1, 3, 3], [1, 1, 1])
    g.write((g.conv(a, 8, 3, [1, 1, 1]), F, 5), (g.conv(b, 16, 3, [1, 1, 1]), F, 5))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for network in (residual, dense, grouped, transformer, unet3d, nnunet):
        network()
    for path in sorted(FOLDER.iterdir()):
        print(path.name, path.stat().st_size)
