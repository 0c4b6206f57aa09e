"""Writes alexnet.yaml, resnet50.yaml and speech_dnn.yaml: layer shapes from the papers, batch norm folded.

    python workloads/make_networks.py
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
CONV = ("  - {{name: {name}, kind: conv2d, input: {source}, filters: {filters}, kernel: {kernel}, "
        "{more}bias: true{end}}}")  # fmt: skip
RELU = ", activation: relu"


def conv(name: str, source: str, filters: int, kernel: int, stride: int = 1, padding: int = 0,
         relu: bool = True, groups: int = 1) -> str:  # fmt: skip
    """One convolution's line."""
    more = "".join(f"{key}: {value}, " for key, value, default in (
        ("stride", stride, 1), ("padding", padding, 0), ("groups", groups, 1)) if value != default)  # fmt: skip
    return CONV.format(name=name, source=source, filters=filters, kernel=kernel, more=more,
                       end=RELU if relu else "")  # fmt: skip


def pool(name: str, source: str, kernel: int, stride: int, padding: int = 0) -> str:
    """One max pool's line."""
    pad = f", padding: {padding}" if padding else ""
    return f"  - {{name: {name}, kind: max_pool, input: {source}, kernel: {kernel}, stride: {stride}{pad}}}"


def gemm(name: str, source: str, n: int, relu: bool) -> str:
    """One fully connected layer's line."""
    end = RELU if relu else ""
    return f"  - {{name: {name}, kind: gemm, input: {source}, n: {n}, bias: true{end}}}"


def alexnet() -> list[str]:
    """Krizhevsky et al., NIPS 2012: two groups in conv2, conv4, conv5; normalisation left out."""
    return [
        "name: alexnet",
        "description: AlexNet for 227 x 227 images, two groups as published, local normalisation left out",
        "source: Krizhevsky et al., NIPS 2012, section 3.5",
        "inputs: {x: [1, 3, 227, 227]}",
        "operators:",
        conv("conv1", "x", 96, 11, 4),
        pool("pool1", "conv1", 3, 2),
        conv("conv2", "pool1", 256, 5, 1, 2, groups=2),
        pool("pool2", "conv2", 3, 2),
        conv("conv3", "pool2", 384, 3, 1, 1),
        conv("conv4", "conv3", 384, 3, 1, 1, groups=2),
        conv("conv5", "conv4", 256, 3, 1, 1, groups=2),
        pool("pool5", "conv5", 3, 2),
        "  - {name: flat, kind: flatten, input: pool5}",
        gemm("fc6", "flat", 4096, True),
        gemm("fc7", "fc6", 4096, True),
        gemm("fc8", "fc7", 1000, False),
    ]


def resnet50() -> list[str]:
    """He et al., CVPR 2016, table 1; the stride stands in the 3 x 3 convolution, as in torchvision."""
    lines = [
        "name: resnet50",
        "description: ResNet-50 for 224 x 224 images, every layer, batch norm folded",
        "source: He et al., CVPR 2016, table 1; torchvision's order, stride in the 3 x 3 convolution",
        "inputs: {x: [1, 3, 224, 224]}",
        "operators:",
        conv("conv1", "x", 64, 7, 2, 3),
        pool("pool1", "conv1", 3, 2, 1),
    ]
    source = "pool1"
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
        for block in range(blocks):
            name = f"layer{stage}_{block}"
            stride = 2 if block == 0 and stage > 1 else 1
            lines += [
                conv(f"{name}_conv1", source, width, 1),
                conv(f"{name}_conv2", f"{name}_conv1", width, 3, stride, 1),
                conv(f"{name}_conv3", f"{name}_conv2", 4 * width, 1, relu=False),
            ]
            short = source
            if block == 0:
                short = f"{name}_down"
                lines.append(conv(short, source, 4 * width, 1, stride, relu=False))
            lines.append(f"  - {{name: {name}, kind: add, input: [{name}_conv3, {short}], "
                         "activation: relu}")  # fmt: skip
            source = name
    return [
        *lines,
        f"  - {{name: pool, kind: global_average_pool, input: {source}}}",
        "  - {name: flat, kind: flatten, input: pool}",
        gemm("fc", "flat", 1000, False),
    ]


def speech_dnn() -> list[str]:
    """Chen et al., AAAI 2018 (arXiv 1712.02679), table 1, BN50-DNN: 440 x 1024, four of 1024 x 1024,
    1024 x 5999 (10.8 M weights: its 43 MB of FP32). The paper's mini-batch is 256 frames."""
    sizes = (1024, 1024, 1024, 1024, 1024, 5999)
    lines = [
        "name: speech_dnn",
        "description: six fully connected layers for speech (BN50-DNN), a batch of 256 frames; ReLU assumed",
        "source: Chen et al., AAAI 2018, arXiv 1712.02679, table 1",
        "inputs: {x: [256, 440]}",
        "operators:",
    ]
    source = "x"
    for number, size in enumerate(sizes, 1):
        lines.append(gemm(f"fc{number}", source, size, number < len(sizes)))
        source = f"fc{number}"
    return lines


if __name__ == "__main__":
    for made in (alexnet(), resnet50(), speech_dnn()):
        name = made[0].split(": ")[1]
        (HERE / f"{name}.yaml").write_text("\n".join(made) + "\n")
