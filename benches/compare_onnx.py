#!/usr/bin/env python3
"""ONNX networks by alnm-deep beside ONNX Runtime: the outputs of many small models, and the speed of large ones.

    python3.11 -m venv venv
    venv/bin/pip install onnx==1.23.2 onnxruntime==1.32.0 numpy
    venv/bin/pip install torch==2.15.0 torchvision onnxscript monai dynamic-network-architectures    # for --exported
    cargo build --release -p alnm-benches --bin repeat_onnx
    venv/bin/python benches/compare_onnx.py --files DIR --cases       # the models of the onnx package: its tests of single
                                                                      # operators, PyTorch's layers, whole networks
    venv/bin/python benches/compare_onnx.py --files DIR --speed       # networks written by this script, in turn
    venv/bin/python benches/compare_onnx.py --files DIR --speed --exported dynamo script   # networks of torchvision, MONAI and nnU-Net,
                                                                      # exported by both of PyTorch's exporters
    venv/bin/python benches/compare_onnx.py --files DIR --speed --only FILE=1,3,224,224 ...   # files of one's own, with a shape

A case counts as right where every output lies within 1e-4 of what is expected, relative to the largest magnitude. Cases whose
operators, element types or operator sets are not read are listed by the reason. Speed: medians of --rounds runs, the programs in
turn, with --threads threads; the peak is that of the whole process.
"""

import argparse
import collections
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent
PAUSE = 0.3


class Program:
    def __init__(self, program, threads, instructions="best"):
        self.process = subprocess.Popen([program, str(threads), instructions], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"the program ended at {words}")
        return answer


def write_values(path, values):
    kinds = {"float32", "int64", "bool"}
    values = [v if str(v.dtype) in kinds else v.astype(numpy.int64) if v.dtype.kind in "iu" else v for v in map(numpy.asarray, values)]
    if any(str(v.dtype) not in kinds for v in values):
        return False
    header = json.dumps([[str(v.dtype), list(v.shape)] for v in values])
    path.write_bytes(header.encode() + b"\n" + b"".join(numpy.ascontiguousarray(v).tobytes() for v in values))
    return True


def read_values(path):
    data = path.read_bytes()
    end = data.index(b"\n")
    place, values = end + 1, []
    for kind, shape in json.loads(data[:end]):
        count = int(numpy.prod(shape))
        values.append(numpy.frombuffer(data, kind, count, place).reshape(shape))
        place += values[-1].nbytes
    return values


def differs(got, want):
    want = numpy.asarray(want)
    if got.shape != want.shape:
        return f"shape {got.shape} for {want.shape}"
    if got.dtype.kind != "f" or want.size == 0:
        return None if (got == want).all() else "other values"
    want = want.astype(numpy.float64)
    finite = numpy.isfinite(want)
    if not (finite == numpy.isfinite(got)).all():
        return "other values that are not finite"
    scale = max(1e-6, abs(want[finite]).max(initial=0))
    worst = abs(got[finite] - want[finite]).max(initial=0) / scale
    return None if worst < 1e-4 else f"difference {worst:.2e}"


def package_cases():
    from onnx.backend.test import loader

    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator"):
        try:
            cases = loader.load_model_tests(kind=kind)
        except Exception:
            from onnx.backend.test.case import collect_testcases

            cases = collect_testcases(None)
        for case in cases:
            if case.kind == kind:
                yield case
    data = Path(onnx.__file__).parent / "backend/test/data/light"
    for path in sorted(data.glob("*.onnx")):
        yield path


def cases(options):
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    program = Program(options.program, 2)
    counts, reasons, wrong = collections.Counter(), collections.Counter(), []
    files = options.files
    for case in package_cases():
        if isinstance(case, Path):
            # Weights of these networks are constants of one value; the outputs are ONNX Runtime's.
            name, model = case.stem, onnx.load(case)
            session = onnxruntime.InferenceSession(str(case), providers=["CPUExecutionProvider"])
            port = session.get_inputs()[0]
            random = numpy.random.default_rng(1)
            inputs = [random.standard_normal(port.shape).astype(numpy.float32)]
            sets = [(inputs, session.run(None, {port.name: inputs[0]}))]
        else:
            name = case.name
            if case.model is None:
                folder = Path(case.model_dir)
                model = onnx.load(folder / "model.onnx")
                read = lambda path: numpy_helper.to_array(onnx.load_tensor(str(path)))
                sets = []
                for data in sorted(folder.glob("test_data_set_*")):
                    of = lambda kind: [read(data / f"{kind}_{i}.pb") for i in range(len(list(data.glob(f"{kind}_*.pb"))))]
                    sets.append((of("input"), of("output")))
            else:
                model, sets = case.model, case.data_sets
        opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
        if opset > 22:
            # The operators of these tests are as old as their newest definition; the version is that of the package.
            for entry in model.opset_import:
                entry.version = min(entry.version, 22)
        path = files / "case.onnx"
        onnx.save(model, path)
        for inputs, outputs in sets:
            try:
                known = write_values(files / "case.in", inputs)
            except Exception:
                known = False
            if not known:
                counts["not read"] += 1
                reasons["inputs of another kind"] += 1
                continue
            answer = program.ask("load", path, files / "case.in")
            if answer.startswith("error"):
                counts["not read"] += 1
                words = answer.split(": ", 1)[-1]
                reasons[" ".join(w for w in words.split() if '"' not in w)[:110]] += 1
                continue
            answer = program.ask("write", files / "case.out")
            if answer.startswith("error"):
                counts["refused as it ran"] += 1
                wrong.append(f"{name}: {answer}")
                continue
            got = read_values(files / "case.out")
            faults = [fault for g, w in zip(got, outputs) if (fault := differs(g, w))]
            counts["wrong" if faults else "right"] += 1
            if faults:
                like = "as ONNX Runtime" if is_onnxruntimes(path, model, inputs, got) else "unlike ONNX Runtime"
                wrong.append(f"{name}: {faults[0]}, {like}")
    print(dict(counts))
    for reason, count in reasons.most_common(options.reasons):
        print(f"  {count:4} {reason}")
    for line in wrong:
        print("  ", line[:200])


def is_onnxruntimes(path, model, inputs, got):
    """Whether ONNX Runtime gives these outputs, where it departs from what the package expects."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        ports = {port.name: value for port, value in zip(session.get_inputs(), inputs)}
        return all(differs(ours, theirs) is None for ours, theirs in zip(got, session.run(None, ports)))
    except Exception:
        return False


class Graph:
    """A network of operators with drawn weights."""

    def __init__(self, seed=1):
        self.random, self.nodes, self.initializers, self.count = numpy.random.default_rng(seed), [], [], 0

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"v{self.count + i}" for i in range(outputs)]
        self.count += outputs
        inputs = [self.constant(x) if not isinstance(x, str) else x for x in inputs]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values):
        array = numpy.asarray(values)
        array = array.astype(numpy.int64 if array.dtype.kind == "i" else numpy.float32)
        self.initializers.append(numpy_helper.from_array(array, f"c{len(self.initializers)}"))
        return f"c{len(self.initializers) - 1}"

    def draw(self, *shape, scale=None):
        scale = scale or (2 / max(1, numpy.prod(shape[1:]))) ** 0.5
        return self.constant((self.random.standard_normal(shape) * scale).astype(numpy.float32))

    def conv(self, x, inputs, outputs, kernel, strides=None, groups=1):
        pads = [k // 2 for k in kernel]
        weight, bias = self.draw(outputs, inputs // groups, *kernel), self.draw(outputs, scale=0.1)
        return self.op("Conv", x, weight, bias, kernel_shape=kernel, strides=strides or [1] * len(kernel), pads=pads + pads, group=groups)

    def model(self, shape, output):
        info = helper.make_tensor_value_info
        rank = None
        graph = helper.make_graph(self.nodes, "g", [info("x", TensorProto.FLOAT, shape)],
                                  [info(output, TensorProto.FLOAT, rank)], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        return model


def resnet50():
    g = Graph()
    x = g.op("Relu", g.conv("x", 3, 64, [7, 7], [2, 2]))
    x, channels = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 64
    for stage, depth in enumerate([3, 4, 6, 3]):
        for block in range(depth):
            width, stride = 64 << stage, 2 if stage and not block else 1
            y = g.op("Relu", g.conv(x, channels, width, [1, 1]))
            y = g.op("Relu", g.conv(y, width, width, [3, 3], [stride] * 2))
            y = g.conv(y, width, 4 * width, [1, 1])
            x = g.conv(x, channels, 4 * width, [1, 1], [stride] * 2) if not block else x
            x, channels = g.op("Relu", g.op("Add", y, x)), 4 * width
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    return g.model([1, 3, 224, 224], g.op("Gemm", x, g.draw(1000, channels), g.draw(1000, scale=0.1), transB=1))


def vit_base():
    g, width, heads, tokens = Graph(), 768, 12, 197
    x = g.op("Conv", "x", g.draw(width, 3, 16, 16), g.draw(width, scale=0.1), kernel_shape=[16, 16], strides=[16, 16])
    x = g.op("Transpose", g.op("Reshape", x, [1, width, 196]), perm=[0, 2, 1])
    x = g.op("Add", g.op("Concat", g.draw(1, 1, width, scale=1), x, axis=1), g.draw(1, tokens, width, scale=0.1))
    norm = lambda x: g.op("LayerNormalization", x, g.constant(numpy.ones(width)), g.draw(width, scale=0.1), axis=-1)
    dense = lambda x, a, b: g.op("Add", g.op("MatMul", x, g.draw(a, b, scale=a ** -0.5)), g.draw(b, scale=0.1))
    for _ in range(12):
        y = g.op("Transpose", g.op("Reshape", dense(norm(x), width, 3 * width), [0, 0, 3, heads, 64]), perm=[2, 0, 3, 1, 4])
        q, k, v = [g.op("Squeeze", p, [0]) for p in g.op("Split", y, outputs=3, axis=0)]
        a = g.op("Softmax", g.op("Mul", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2])), 0.125), axis=-1)
        y = g.op("Reshape", g.op("Transpose", g.op("MatMul", a, v), perm=[0, 2, 1, 3]), [0, 0, width])
        x = g.op("Add", x, dense(y, width, width))
        y = dense(norm(x), width, 4 * width)
        y = g.op("Mul", g.op("Mul", y, g.op("Add", g.op("Erf", g.op("Div", y, 2 ** 0.5)), 1.0)), 0.5)
        x = g.op("Add", x, dense(y, 4 * width, width))
    return g.model([1, 3, 224, 224], g.op("Gather", norm(x), numpy.array(0), axis=1))


def unet(normalised):
    """A 3D U-Net: with normalisations by instance and leaky units as nnU-Net has them, or as MONAI's basic one."""
    g = Graph()

    def block(x, inputs, outputs, stride=1):
        x = g.conv(x, inputs, outputs, [3, 3, 3], [stride] * 3)
        if not normalised:
            return g.op("Relu", x)
        return g.op("LeakyRelu", g.op("InstanceNormalization", x, g.constant(numpy.ones(outputs)), g.draw(outputs, scale=0.1)), alpha=0.01)

    widths, x, skips, channels = [32, 64, 128, 256], "x", [], 1
    for level, width in enumerate(widths):
        x = block(block(x, channels, width, 2 if level else 1), width, width)
        skips.append(x)
        channels = width
    for width, skip in zip(widths[-2::-1], skips[-2::-1]):
        x = g.op("ConvTranspose", x, g.draw(channels, width, 2, 2, 2), kernel_shape=[2] * 3, strides=[2] * 3)
        x, channels = block(block(g.op("Concat", x, skip, axis=1), 2 * width, width), width, width), width
    return g.model([1, 1, 64, 64, 64], g.conv(x, channels, 2, [1, 1, 1]))


def randomised(model, torch):
    """Weights drawn from a fixed seed, statistics away from 0 and 1; nothing stays at zero, as some initialisations leave it."""
    generator = torch.Generator().manual_seed(1)
    draw = lambda tensor: torch.randn(tensor.shape, generator=generator)
    for name, tensor in model.state_dict().items():
        if tensor.dim() > 1:
            tensor.copy_(draw(tensor) * (1.5 / tensor[0].numel()) ** 0.5)
        elif name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif name.endswith("weight"):
            tensor.copy_(0.5 + 0.5 * torch.rand(tensor.shape, generator=generator))
        elif tensor.is_floating_point():
            tensor.copy_(0.1 * draw(tensor))
    return model.eval()


def nnunet(torch):
    """What nnU-Net plans for images of 96 x 96 x 96 voxels: its own class of network, without deep supervision."""
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    return PlainConvUNet(1, 5, [32, 64, 128, 256, 320], torch.nn.Conv3d, 3, [1, 2, 2, 2, 2], [2] * 5, 3, [2] * 4, conv_bias=True,
                         norm_op=torch.nn.InstanceNorm3d, norm_op_kwargs={"eps": 1e-5, "affine": True},
                         nonlin=torch.nn.LeakyReLU, nonlin_kwargs={"inplace": True}, deep_supervision=False)


def exported(files, exporters):
    import monai
    import torch
    import torchvision

    image, volume = (1, 3, 224, 224), (1, 1, 96, 96, 96)
    networks = {name: (getattr(torchvision.models, name), image) for name in ("resnet50", "densenet121", "vgg16", "vit_b_16")}
    networks["efficientnet_b0"] = torchvision.models.efficientnet_b0, image
    networks["convnext_tiny"] = torchvision.models.convnext_tiny, image
    networks["monai_unet"] = lambda: monai.networks.nets.UNet(3, 1, 2, (16, 32, 64, 128, 256), (2, 2, 2, 2), num_res_units=2), volume
    networks["monai_basicunet"] = lambda: monai.networks.nets.BasicUNet(3, 1, 2), volume
    networks["nnunet"] = lambda: nnunet(torch), volume
    for name, (make, shape) in networks.items():
        for exporter in exporters:
            path = files / f"torch_{name}_{exporter}.onnx"
            if not path.exists():
                torch.onnx.export(randomised(make(), torch), (torch.zeros(shape),), str(path), dynamo=exporter == "dynamo",
                                  **({"external_data": False} if exporter == "dynamo" else {}))
            yield path.stem, path


def speed(options):
    import onnxruntime

    files = options.files
    shapes = {}
    networks = {"resnet50": resnet50, "vit_b_16": vit_base, "unet3d": lambda: unet(False), "nnunet": lambda: unet(True)}
    paths = []
    for entry in options.only:
        path, _, shape = entry.partition("=")
        paths.append((Path(path).stem, Path(path)))
        shapes[Path(path).stem] = [int(size) for size in shape.split(",")] if shape else None
    for name, make in networks.items() if not paths and not options.exported else []:
        if not (files / f"{name}.onnx").exists():
            onnx.save(make(), files / f"{name}.onnx")
        paths.append((name, files / f"{name}.onnx"))
    if options.exported:
        paths.extend(exported(files, options.exported))
    for name, path in paths:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        port = session.get_inputs()[0]
        values = numpy.random.default_rng(3).standard_normal(shapes.get(name) or port.shape).astype(numpy.float32)
        write_values(files / "speed.in", [values])
        ours = Program(options.program, options.threads, options.instructions)
        start = time.perf_counter()
        answer = ours.ask("load", path, files / "speed.in")
        if answer.startswith("error"):
            print(f"{name}: {answer}")
            continue
        loading = time.perf_counter() - start
        first = float(ours.ask("run"))
        want = session.run(None, {port.name: values})[0]
        times = ([], [])
        for _ in range(options.rounds):
            # The threads of ONNX Runtime wait for work in a loop for a while, on the processor of whoever comes next.
            time.sleep(PAUSE)
            times[0].append(float(ours.ask("run")))
            time.sleep(PAUSE)
            start = time.perf_counter()
            session.run(None, {port.name: values})
            times[1].append(time.perf_counter() - start)
        ours.ask("write", files / "speed.out")
        got = read_values(files / "speed.out")[0]
        worst = abs(got - want).max() / abs(want).max()
        middle = [1e3 * statistics.median(seconds) for seconds in times]
        print(f"{name:18} alnm {middle[0]:8.1f} ms, ONNX Runtime {middle[1]:8.1f} ms, {middle[1] / middle[0]:5.2f}x; load {loading:.2f} s, "
              f"first run {first:.3f} s; difference {worst:.1e}; peak {float(ours.ask('peak')):.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/repeat_onnx")
    parser.add_argument("--cases", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--exported", nargs="+", choices=["dynamo", "script"], default=[])
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--instructions", default="best")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reasons", type=int, default=40)
    options = parser.parse_args()
    options.files.mkdir(parents=True, exist_ok=True)
    if options.cases:
        cases(options)
    if options.speed:
        speed(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
