#!/usr/bin/env python3
"""ResNet50 at 224 x 224 by PyTorch, ONNX Runtime, OpenVINO and alnm-deep, with the same weights, images and threads, in turn.

    python3.11 -m venv venv
    venv/bin/pip install torch torchvision onnx onnxscript onnxruntime openvino numpy
    cargo build --release -p alnm-benches --features candle --bin repeat_network
    venv/bin/python benches/compare_deep.py --files DIR                      # all cells of inference
    venv/bin/python benches/compare_deep.py --files DIR --batches 1 --threads 2 --rounds 11
    venv/bin/python benches/compare_deep.py --files DIR --train --batches 8,16 --threads 2
    venv/bin/python benches/compare_deep.py --files DIR --threads 1 --processor-time    # on a machine that others use as well
    venv/bin/python benches/compare_deep.py --files DIR --batches 8 --threads 2 --tools alnm,alnm-candle    # torch is enough

Weights, images and the ONNX model are written to DIR once: random weights of trained-like scale from a fixed seed. Every
program stays in a process of its own with everything loaded and has run twice before it is timed; a round runs each once, in
an order that changes from round to round. Printed are medians in milliseconds an image, the smallest in brackets, ratios to
alnm-deep's median, the largest difference of the logits from PyTorch's in double precision, and the peak memory of the process.
Tools: alnm (fastest instructions), alnm-avx2, alnm-portable, alnm-candle (the same network by candle), ort, openvino, torch (eager),
torch-cl (channels last),
torch-compile (channels last); for training alnm, alnm-candle, torch-cl-tuned (channels last, MALLOC_* set), torch-cl, torch.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/repeat_network"
PREDICT = ["alnm", "ort", "openvino", "torch-compile", "torch-cl", "torch"]
TRAIN = ["alnm", "torch-cl-tuned", "torch-cl", "torch"]
TUNED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_TOP_PAD_": str(1 << 28)}
LARGEST = 32


def weights(model, torch):
    """He-scaled weights, running statistics away from 0 and 1: activations stay in the range that trained networks have."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.dim() > 1:
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5)
        elif name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif name.endswith("num_batches_tracked"):
            continue
        elif name.endswith("weight"):
            scale = 0.2 if "bn3" in name else 0.5
            tensor.copy_(scale + scale * torch.rand(tensor.shape, generator=generator))
        else:
            tensor.copy_(0.2 * torch.rand(tensor.shape, generator=generator) - 0.1)


def resnet(torch, files):
    from torchvision.models import resnet50

    model = resnet50()
    if (files / "weights.pt").exists():
        model.load_state_dict(torch.load(files / "weights.pt", weights_only=True))
    return model


def write_safetensors(path, arrays):
    """The format is a length, a JSON header and the numbers."""
    header, position = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [position, position + array.nbytes]}
        position += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.tobytes())


def prepare(files):
    import numpy
    import torch

    files.mkdir(parents=True, exist_ok=True)
    model = resnet(torch, Path("absent")).eval()
    with torch.no_grad():
        weights(model, torch)
    torch.save(model.state_dict(), files / "weights.pt")
    write_safetensors(files / "weights.safetensors", {k: v.numpy() for k, v in model.state_dict().items() if v.dtype == torch.float32})
    images = torch.randn(LARGEST, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    images.numpy().astype(numpy.float32).tofile(files / "images.f32")
    with torch.no_grad():
        model.double()(images.double()).numpy().tofile(files / "logits.f64")


def export(files):
    import onnx
    import torch

    model = resnet(torch, files).eval()
    images = torch.zeros(2, 3, 224, 224)
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.onnx.export(model, (images,), files / "model.onnx", input_names=["image"], dynamo=True, dynamic_shapes=({0: batch},),
                      external_data=False)
    onnx.checker.check_model(str(files / "model.onnx"))


def worker(tool, files, batch, threads, task):
    import numpy

    images = numpy.fromfile(files / "images.f32", dtype=numpy.float32, count=batch * 3 * 224 * 224).reshape(batch, 3, 224, 224)
    if tool == "ort":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(str(files / "model.onnx"), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def run():
            return session.run(None, {name: images})[0]
    elif tool == "openvino":
        import openvino

        core = openvino.Core()
        model = core.read_model(str(files / "model.onnx"))
        model.reshape([batch, 3, 224, 224])
        hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        request = core.compile_model(model, "CPU", hints).create_infer_request()

        def run():
            return next(iter(request.infer({0: images}).values()))
    else:
        import torch

        torch.set_num_threads(threads)
        model = resnet(torch, files)
        inputs = torch.from_numpy(images)
        if tool != "torch":
            model, inputs = model.to(memory_format=torch.channels_last), inputs.to(memory_format=torch.channels_last)
        if task == "train":
            head = torch.nn.Linear(1000, 1)
            labels = torch.tensor([[float(i % 2)] for i in range(batch)])
            loss_of = torch.nn.BCEWithLogitsLoss()
            optimiser = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=1e-4, weight_decay=1e-2)
            model.train()

            def run():
                optimiser.zero_grad(set_to_none=True)
                loss = loss_of(head(model(inputs)), labels)
                loss.backward()
                optimiser.step()
                return numpy.array([loss.item()])
        else:
            model.eval()
            if tool == "torch-compile":
                import torch._inductor.config

                torch._inductor.config.freezing = True
                model = torch.compile(model)

            def run():
                with torch.inference_mode():
                    return model(inputs).numpy()
    numpy.asarray(run(), dtype=numpy.float32).tofile(files / f"outputs-{tool}.f32")
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, flush=True)
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


class Tool:
    """A program that runs once for each line it is sent."""

    def __init__(self, name, files, batch, threads, task, options):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
        if name.endswith("tuned"):
            environment |= TUNED
        if name.startswith("alnm"):
            instructions = name.partition("-")[2] or "best"
            outputs = files / f"outputs-{name}.f32"
            command = [options.program, files / "weights.safetensors", files / "images.f32", batch, threads, task, instructions, outputs]
        else:
            command = [sys.executable, __file__, "--worker", name, "--files", files, "--batches", batch, "--threads", threads]
            command += ["--train"] if task == "train" else []
        self.name, self.seconds, self.counts_processor = name, [], options.processor_time
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=environment)
        while not self.line().startswith("ready"):
            pass
        self.run()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended early")
        return line

    def run(self):
        before = self.processor_seconds()
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        seconds = float(self.line())
        return self.processor_seconds() - before if self.counts_processor else seconds

    def processor_seconds(self):
        """What all threads of the process have computed."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def end(self):
        self.process.stdin.close()
        peak = float(self.line().split()[1])
        self.process.wait()
        return peak


def cell(tools, batch, threads, task, options):
    import numpy

    files, rounds = options.files, options.rounds
    running = [Tool(name, files, batch, threads, task, options) for name in tools]
    for turn in range(rounds):
        for tool in running[turn % len(running):] + running[:turn % len(running)]:
            tool.seconds.append(tool.run())
    ours = statistics.median(running[0].seconds)
    truth = numpy.fromfile(files / "logits.f64").reshape(LARGEST, 1000)[:batch]
    print(f"{task}, batch {batch}, {threads} threads, {rounds} rounds")
    for tool in running:
        middle, least = statistics.median(tool.seconds), min(tool.seconds)
        outputs = numpy.fromfile(files / f"outputs-{tool.name}.f32", dtype=numpy.float32)
        error = "" if task == "train" else f"  error {abs(outputs.reshape(batch, 1000) - truth).max():.1e}"
        print(f"  {tool.name:15} {1e3 * middle / batch:8.2f} [{1e3 * least / batch:8.2f}] ms/image  {middle / ours:6.2f}x"
              f"{error}  peak {tool.end():6.0f} MiB", flush=True)


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--batches", type=numbers)
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tools", type=lambda text: text.split(","))
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="where repeat_network was built, if elsewhere")
    parser.add_argument("--processor-time", action="store_true", help="the processor time of all threads instead of the clock's (Linux)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    task = "train" if options.train else "predict"
    if options.worker:
        worker(options.worker, options.files, options.batches[0], options.threads[0], task)
        return
    tools = options.tools or (TRAIN if options.train else PREDICT)
    if not (options.files / "logits.f64").exists():
        prepare(options.files)
    if {"ort", "openvino"} & set(tools) and not (options.files / "model.onnx").exists():
        export(options.files)
    for batch in options.batches or ([8, 16] if options.train else [1, 8, 32]):
        for threads in options.threads:
            cell(tools, batch, threads, task, options)


if __name__ == "__main__":
    main()
