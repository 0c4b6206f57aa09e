"""Writes the small .onnx files of tests/onnx_models with torch's exporters, weights from a seed.

pip install torch==2.13.0 onnx onnxscript
python scripts/export_torch_models.py
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import nn

FOLDER = Path(__file__).parent.parent / "tests" / "onnx_models"


class Residual(nn.Module):
    """Two residual blocks, one with a strided shortcut, a depthwise convolution, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.first = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
        )
        self.second = nn.Sequential(
            nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 16, 1, bias=False),
            nn.BatchNorm2d(16),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))
        self.classes = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.relu(x + self.first(x))
        x = torch.relu(self.shortcut(x) + self.second(x))
        return self.classes(x.mean((2, 3)))


class Decoder(nn.Module):
    """One decoder block over a cache of keys and values; gives the longer cache back."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.norm = nn.RMSNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.up, self.gate = nn.Linear(width, 64, bias=False), nn.Linear(width, 64, bias=False)
        self.down = nn.Linear(64, width, bias=False)

    def forward(
        self, x: torch.Tensor, past_k: torch.Tensor, past_v: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        batch, steps, width = x.shape
        y = self.norm(x)

        def split(t: torch.Tensor) -> torch.Tensor:
            return t.view(batch, steps, self.heads, self.size).transpose(1, 2)

        k = torch.cat([past_k, split(self.k(y))], 2)
        v = torch.cat([past_v, split(self.v(y))], 2)
        scores = split(self.q(y)) @ k.transpose(-1, -2) / self.size**0.5
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, steps, width)
        x = x + self.o(mixed)
        return x + self.down(nn.functional.silu(self.gate(x)) * self.up(x)), k, v


class Speech(nn.Module):
    """A bidirectional LSTM, a GRU and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(12, 16, bidirectional=True)
        self.gru = nn.GRU(32, 16)
        self.classes = nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.gru(self.lstm(x)[0])[0])


class Sizes(nn.Module):
    """Convolutions of one and three dimensions, transposed, dilated; pools; resizing."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Conv1d(4, 8, 5, 2, 2, dilation=1, groups=2)
        self.plane = nn.Conv2d(1, 6, 3, padding=2, dilation=2)
        self.up = nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1, groups=2)
        self.space = nn.Conv3d(2, 4, 3, (2, 1, 1), 1)

    def forward(self, line: torch.Tensor, space: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a = nn.functional.max_pool1d(torch.tanh(self.line(line)), 2)
        b = self.up(self.plane(a.unsqueeze(1)))
        b = nn.functional.interpolate(b, scale_factor=2, mode="nearest")
        c = nn.functional.avg_pool3d(self.space(space), 2)
        return nn.functional.adaptive_avg_pool2d(b, 1), c


def export(
    name: str,
    model: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    names: list[str],
    dynamo: bool,
    dynamic: dict | None = None,
) -> None:  # type: ignore[type-arg]
    """One file, weights inside."""
    model.eval()
    keys = (
        {"dynamic_shapes": dynamic}
        if dynamo and dynamic
        else {"dynamic_axes": dynamic}
        if dynamic
        else {}
    )
    path = str(FOLDER / f"{name}.onnx")
    torch.onnx.export(
        model,
        inputs,
        path,
        input_names=names,
        dynamo=dynamo,
        external_data=False,
        opset_version=18,
        **keys,
    )
    written = onnx.load(path)
    graph = written.graph
    for part in (written, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]  # where the exporter ran
    del graph.value_info[:]
    onnx.save(written, path)


def main() -> None:
    torch.manual_seed(1)
    FOLDER.mkdir(exist_ok=True)
    model = Residual()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.5, 0.5)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.5, 0.5)
    export(
        "residual_cnn",
        model,
        (torch.randn(2, 3, 16, 16),),
        ["image"],
        False,
        {"image": {0: "batch"}},
    )
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu")
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    export(
        "encoder",
        encoder,
        (torch.randn(2, 9, 32),),
        ["x"],
        True,
        {"src": {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}},
    )
    past = torch.randn(1, 4, 7, 8)
    export(
        "decoder",
        Decoder(),
        (torch.randn(1, 1, 32), past, past.clone()),
        ["x", "past_k", "past_v"],
        True,
        {
            "x": None,
            "past_k": {2: torch.export.Dim("past")},
            "past_v": {2: torch.export.Dim("past")},
        },
    )
    export("speech_lstm", Speech(), (torch.randn(6, 2, 12),), ["x"], False)
    export(
        "sizes",
        Sizes(),
        (torch.randn(1, 4, 24), torch.randn(1, 2, 5, 6, 7)),
        ["line", "space"],
        False,
    )


if __name__ == "__main__":
    main()
