"""Writes the zoo: layer shapes from the papers, batch norm folded. zoo_transformers.py has the others.

python workloads/make_zoo.py
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
CONV = (
    "  - {{name: {name}, kind: conv2d, input: {source}, filters: {filters}, kernel: {kernel}, "
    "{more}bias: true{end}}}"
)
RELU = ", activation: relu"


def conv(
    name: str,
    source: str,
    filters: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    relu: bool = True,
    groups: int = 1,
) -> str:
    """One convolution's line."""
    more = "".join(
        f"{key}: {value}, "
        for key, value, default in (
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("groups", groups, 1),
        )
        if value != default
    )
    return CONV.format(
        name=name,
        source=source,
        filters=filters,
        kernel=kernel,
        more=more,
        end=RELU if relu else "",
    )


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
        "batch: 1",
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
        "batch: 1",
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
            lines.append(
                f"  - {{name: {name}, kind: add, input: [{name}_conv3, {short}], activation: relu}}"
            )
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
        "batch: 256",
        "inputs: {x: [256, 440]}",
        "operators:",
    ]
    source = "x"
    for number, size in enumerate(sizes, 1):
        lines.append(gemm(f"fc{number}", source, size, number < len(sizes)))
        source = f"fc{number}"
    return lines


def vgg16() -> list[str]:
    """Simonyan and Zisserman, ICLR 2015, configuration D."""
    lines = [
        "name: vgg16",
        "description: VGG-16 for 224 x 224 images",
        "source: Simonyan and Zisserman, ICLR 2015, table 1, configuration D",
        "batch: 1",
        "inputs: {x: [1, 3, 224, 224]}",
        "operators:",
    ]
    source = "x"
    for block, (count, width) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for number in range(1, count + 1):
            lines.append(conv(f"conv{block}_{number}", source, width, 3, 1, 1))
            source = f"conv{block}_{number}"
        lines.append(pool(f"pool{block}", source, 2, 2))
        source = f"pool{block}"
    return [
        *lines,
        f"  - {{name: flat, kind: flatten, input: {source}}}",
        gemm("fc6", "flat", 4096, True),
        gemm("fc7", "fc6", 4096, True),
        gemm("fc8", "fc7", 1000, False),
    ]


def vector(name: str, kind: str, *sources: str, **keys: object) -> str:
    """One vector operator's line."""
    read = sources[0] if len(sources) == 1 else f"[{', '.join(sources)}]"
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return f"  - {{name: {name}, kind: {kind}, input: {read}{more}}}"


def inverted(
    lines: list[str],
    name: str,
    source: str,
    widths: tuple[int, int, int],
    kernel: int,
    stride: int,
    squeeze: int,
    act: str,
) -> str:
    """An inverted residual block: expand, depthwise, squeeze and excite, project. widths: in, hidden,
    out. squeeze: channels of the squeeze, 0 for none. The name of its output."""
    before, hidden, after = widths
    x = source
    if hidden != before:
        lines += [
            conv(f"{name}_expand", x, hidden, 1, relu=False),
            vector(f"{name}_expand_act", act, f"{name}_expand"),
        ]
        x = f"{name}_expand_act"
    lines += [
        conv(f"{name}_depth", x, hidden, kernel, stride, kernel // 2, relu=False, groups=hidden),
        vector(f"{name}_depth_act", act, f"{name}_depth"),
    ]
    x = f"{name}_depth_act"
    if squeeze:
        lines += [
            vector(f"{name}_mean", "global_average_pool", x),
            conv(f"{name}_reduce", f"{name}_mean", squeeze, 1, relu=False),
            vector(f"{name}_reduce_act", act, f"{name}_reduce"),
            conv(f"{name}_raise", f"{name}_reduce_act", hidden, 1, relu=False),
            vector(f"{name}_gate", "sigmoid", f"{name}_raise"),
            vector(f"{name}_scaled", "multiply", x, f"{name}_gate"),
        ]
        x = f"{name}_scaled"
    lines.append(conv(f"{name}_project", x, after, 1, relu=False))
    if stride > 1 or before != after:
        return f"{name}_project"
    lines.append(vector(f"{name}_add", "add", f"{name}_project", source))
    return f"{name}_add"


def mobilenet_v2() -> list[str]:
    """Sandler et al., CVPR 2018, table 2, width 1.0."""
    lines = [
        "name: mobilenet_v2",
        "description: MobileNetV2 for 224 x 224 images, batch norm folded",
        "source: Sandler et al., CVPR 2018, table 2",
        "batch: 1",
        "inputs: {x: [1, 3, 224, 224]}",
        "operators:",
        conv("stem", "x", 32, 3, 2, 1, relu=False),
        vector("stem_act", "clip", "stem"),
    ]
    source, before, number = "stem_act", 32, 0
    for expand, after, repeat, first in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for step in range(repeat):
            number += 1
            source = inverted(
                lines,
                f"block{number}",
                source,
                (before, expand * before, after),
                3,
                first if step == 0 else 1,
                0,
                "clip",
            )
            before = after
    return [
        *lines,
        conv("head", source, 1280, 1, relu=False),
        vector("head_act", "clip", "head"),
        vector("pool", "global_average_pool", "head_act"),
        vector("flat", "flatten", "pool"),
        gemm("fc", "flat", 1000, False),
    ]


def efficientnet_b0() -> list[str]:
    """Tan and Le, ICML 2019, table 1; a squeeze to a quarter of a block's input channels."""
    lines = [
        "name: efficientnet_b0",
        "description: EfficientNet-B0 for 224 x 224 images, batch norm folded",
        "source: Tan and Le, ICML 2019, table 1",
        "batch: 1",
        "inputs: {x: [1, 3, 224, 224]}",
        "operators:",
        conv("stem", "x", 32, 3, 2, 1, relu=False),
        vector("stem_act", "silu", "stem"),
    ]
    source, before, number = "stem_act", 32, 0
    for expand, kernel, first, after, repeat in (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    ):
        for step in range(repeat):
            number += 1
            source = inverted(
                lines,
                f"block{number}",
                source,
                (before, expand * before, after),
                kernel,
                first if step == 0 else 1,
                max(1, before // 4),
                "silu",
            )
            before = after
    return [
        *lines,
        conv("head", source, 1280, 1, relu=False),
        vector("head_act", "silu", "head"),
        vector("pool", "global_average_pool", "head_act"),
        vector("flat", "flatten", "pool"),
        gemm("fc", "flat", 1000, False),
    ]


def dlrm() -> list[str]:
    """Naumov et al., arXiv 1906.00091, Criteo Kaggle: 26 tables of width 16, bottom 13-512-256-64-16,
    products of all pairs of 27 vectors, top 512-256-1. Rows: the data set's categories."""
    batch = 128
    rows = (
        1460,
        583,
        10131227,
        2202608,
        305,
        24,
        12517,
        633,
        3,
        93145,
        5683,
        8351593,
        3194,
        27,
        14992,
        5461306,
        10,
        5652,
        2173,
        4,
        7046547,
        18,
        15,
        286181,
        105,
        142572,
    )
    tables = ", ".join(f"table{i}: [{count}, 16]" for i, count in enumerate(rows, 1))
    ids = ", ".join(f"ids{i}: [{batch}]" for i in range(1, len(rows) + 1))
    lines = [
        "name: dlrm",
        f"description: DLRM of the Criteo Kaggle set, {batch} samples",
        "source: Naumov et al., arXiv 1906.00091, section 5.1; its code's run_and_time for Kaggle",
        f"batch: {batch}",
        f"inputs: {{dense: [{batch}, 13], {ids}}}",
        f"constants: {{{tables}}}",
        "operators:",
        gemm("bottom1", "dense", 512, True),
        gemm("bottom2", "bottom1", 256, True),
        gemm("bottom3", "bottom2", 64, True),
        gemm("bottom4", "bottom3", 16, True),
    ]
    lines += [
        vector(f"embedding{i}", "gather", f"table{i}", f"ids{i}", shape=f"[{batch}, 16]")
        for i in range(1, len(rows) + 1)
    ]
    every = ["bottom4", *(f"embedding{i}" for i in range(1, len(rows) + 1))]
    pairs = len(every) * (len(every) - 1) // 2
    return [
        *lines,
        vector("features", "concat", *every, axis=1),
        vector("vectors", "reshape", "features", shape=f"[{batch}, {len(every)}, 16]"),
        f"  - {{name: products, kind: gemm, input: vectors, weight: vectors, n: {len(every)}, "
        "weight_transposed: true}",
        vector("pairs", "gather", "products", shape=f"[{batch}, {pairs}]"),
        vector("joined", "concat", "bottom4", "pairs", axis=1),
        gemm("top1", "joined", 512, True),
        gemm("top2", "top1", 256, True),
        gemm("top3", "top2", 1, False),
        vector("click", "sigmoid", "top3"),
    ]


def main() -> None:
    """Write every file."""
    from zoo_transformers import made as others

    own = (alexnet(), resnet50(), speech_dnn(), vgg16(), mobilenet_v2(), efficientnet_b0(), dlrm())
    for made in (*own, *others()):
        name = made[0].split(": ")[1]
        (HERE / f"{name}.yaml").write_text("\n".join(made) + "\n")


if __name__ == "__main__":
    main()
