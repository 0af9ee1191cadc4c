#!/usr/bin/env bash
# ONNX Resize with coordinate_transformation_mode "align_corners", a linear or cubic mode and scales that do not give a whole number of
# samples: the reference evaluator of onnx 1.23.2 and ONNX Runtime 1.32.0 (both PyPI) give the same shape and other numbers. Four
# samples 1 to 4 by a scale of 0.6 become two: 1 and 4 in ONNX Runtime, whose last corner lies on the last sample; 1 and 3.14 in the
# reference, which divides by the length before it is cut down, 2.4, so that corners are not aligned. By a scale of 0.5, or with sizes
# instead of scales, both agree. MaxUnpool with an output_shape larger than the pooling made: the reference keeps the places of the
# small image and puts zeros around it, ONNX Runtime counts the same indices through the larger rows, so that values move. Whoever
# checks an engine against both finds one of them wrong, and a network with such scales gives other numbers than its author saw.
#
# Found with Python 3.11.7, numpy 2.4.6 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def both(operator, inputs, constants, shape, **attributes):
    """What both programs make of one operator."""
    names = [f"x{place}" for place in range(len(inputs))]
    stored = [numpy_helper.from_array(values, name) for name, values in constants.items() if values is not None]
    given = names + [name if values is not None else "" for name, values in constants.items()]
    node = helper.make_node(operator, given, ["y"], **attributes)
    ports = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape) for name, values in zip(names, inputs)]
    graph = helper.make_graph([node], "one", ports, [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    fed = dict(zip(names, inputs))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ReferenceEvaluator(model).run(None, fed)[0].squeeze(), session.run(None, fed)[0].squeeze()


def resized(length, scale=None, mode="linear"):
    row = np.arange(1, length + 1, dtype=np.float32).reshape(1, 1, 1, length)
    scales = None if scale is None else np.array([1, 1, 1, scale], np.float32)
    sizes = None if scale is not None else np.array([1, 1, 1, 2], np.int64)
    constants = {"region": None, "scales": scales, "sizes": sizes}
    return both("Resize", [row], constants, [1, 1, 1, None], mode=mode, coordinate_transformation_mode="align_corners")


print(f"onnx {version('onnx')}, ONNX Runtime {version('onnxruntime')}")
agree = []
for name, pair in {
    "linear, scale 0.6": resized(4, 0.6),
    "cubic, scale 0.8": resized(4, 0.8, "cubic"),
    "linear, scale 0.5": resized(4, 0.5),
    "linear, two samples": resized(4),
    "unpooled to 5 x 5": both(
        "MaxUnpool",
        [np.array([[[[5, 6], [7, 8]]]], np.float32), np.array([[[[5, 7], [13, 15]]]], np.int64)],
        {"output_shape": np.array([1, 1, 5, 5], np.int64)},
        [1, 1, None, None],
        kernel_shape=[2, 2],
        strides=[2, 2],
    ),
}.items():
    reference, runtime = (values.round(3) for values in pair)
    agree.append(bool(np.allclose(reference, runtime)))
    print(f"{name}: reference {reference.tolist()}, ONNX Runtime {runtime.tolist()}")
sys.exit(0 if agree == [False, False, True, True, False] else 1)
PYTHON
