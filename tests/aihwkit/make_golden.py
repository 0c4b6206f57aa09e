"""Figures of aihwkit 1.2.0 for tests/aihwkit: product errors by age and converters, digits.

python tests/aihwkit/make_golden.py     (in an environment with aihwkit; about ten minutes)
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from aihwkit.inference import GlobalDriftCompensation, PCMLikeNoiseModel
from aihwkit.nn import AnalogConv2d, AnalogLinear
from aihwkit.simulator.configs import InferenceRPUConfig
from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "workloads"
AGES = (20.0, 3600.0, 86400.0, 2.592e6, 3.1536e7)
CONVERTERS = {"perfect": None, "8/8": (8, 8), "6/6": (6, 6), "4/6": (4, 6), "4/5": (4, 5)}
SIZE, VECTORS, SEEDS = 256, 200, 8


def config(
    bits: tuple[int, int] | None, compensated: bool, scale: float = 1.0
) -> InferenceRPUConfig:
    """PCM-like cells; nothing else but the converters (no output noise, no IR drop)."""
    rpu = InferenceRPUConfig()
    rpu.noise_model = PCMLikeNoiseModel(g_max=25.0, prog_noise_scale=scale, read_noise_scale=scale)
    rpu.drift_compensation = GlobalDriftCompensation() if compensated else None
    rpu.mapping.max_input_size = rpu.mapping.max_output_size = 0
    rpu.mapping.weight_scaling_omega = 1.0
    rpu.mapping.digital_bias = True
    forward = rpu.forward
    forward.out_noise = forward.w_noise = forward.inp_noise = forward.ir_drop = 0.0
    forward.noise_management = NoiseManagementType.ABS_MAX
    forward.bound_management = BoundManagementType.ITERATIVE
    if bits is None:
        forward.is_perfect = True
    else:
        forward.inp_res, forward.out_res = 1.0 / (2 ** bits[0] - 2), 1.0 / (2 ** bits[1] - 2)
        forward.out_bound = 12.0
    return rpu


def products() -> dict[str, list[list[float]]]:
    """name -> by age, relative errors of every seed."""
    found: dict[str, list[list[float]]] = {}
    for name, bits in CONVERTERS.items():
        if name == "4/5":
            continue
        for compensated in (False, True):
            rows: list[list[float]] = [[] for _ in AGES]
            for seed in range(SEEDS):
                torch.manual_seed(seed)
                draw = np.random.default_rng(seed)
                weights = draw.uniform(-1, 1, (SIZE, SIZE)).astype(np.float32)
                x = torch.from_numpy(draw.uniform(-1, 1, (VECTORS, SIZE)).astype(np.float32))
                layer = AnalogLinear(SIZE, SIZE, bias=False, rpu_config=config(bits, compensated))
                layer.set_weights(torch.from_numpy(weights), None)
                layer.eval()
                layer.program_analog_weights()
                ideal = x @ torch.from_numpy(weights).T
                for number, age in enumerate(AGES):
                    layer.drift_analog_weights(age)
                    with torch.no_grad():
                        got = layer(x)
                    rows[number].append(
                        float(torch.linalg.norm(got - ideal) / torch.linalg.norm(ideal))
                    )
            found[f"{name} {'compensated' if compensated else 'raw'}"] = rows
    return found


def network(name: str, values: dict[str, np.ndarray], rpu: InferenceRPUConfig) -> torch.nn.Module:
    """The committed digits network on analog layers, in workloads/<name>.yaml's order."""

    def linear(key: str) -> torch.nn.Module:
        w = values[f"{key}.weight"]
        w = w if w.shape[0] == values[f"{key}.bias"].size else w.T
        layer = AnalogLinear(w.shape[1], w.shape[0], bias=True, rpu_config=rpu)
        layer.set_weights(
            torch.from_numpy(np.ascontiguousarray(w, np.float32)),
            torch.from_numpy(values[f"{key}.bias"].astype(np.float32).ravel()),
        )
        return layer

    def conv(key: str, padding: int) -> torch.nn.Module:
        w = values[f"{key}.weight"]
        layer = AnalogConv2d(
            w.shape[1], w.shape[0], w.shape[2], padding=padding, bias=True, rpu_config=rpu
        )
        layer.set_weights(
            torch.from_numpy(w.astype(np.float32)).reshape(len(w), -1),
            torch.from_numpy(values[f"{key}.bias"].astype(np.float32).ravel()),
        )
        return layer

    if name == "digits_mlp":
        return torch.nn.Sequential(linear("fc1"), torch.nn.ReLU(), linear("fc2"))
    return torch.nn.Sequential(
        conv("conv1", 1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        conv("conv2", 1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        linear("fc"),
    )


def digits() -> dict[str, dict[str, list[list[float]]]]:
    """case -> by age: top-1 and relative error of the logits, of every programming."""
    found = {}
    with np.load(DATA / "digits.npz") as file:
        images, labels = file["images"] / 16.0, file["labels"]
    for name in ("digits_mlp", "digits_cnn"):
        with np.load(DATA / f"{name}.npz") as file:
            values = {key: file[key] for key in file.files}
        x = torch.from_numpy(images.astype(np.float32))
        x = x.reshape(len(x), -1) if name == "digits_mlp" else x.reshape(len(x), 1, 8, 8)
        for case, bits, scale in (
            ("8/8", (8, 8), 1.0),
            ("4/5", (4, 5), 1.0),
            ("8/8 x3", (8, 8), 3.0),
        ):
            top1: list[list[float]] = [[] for _ in AGES]
            error: list[list[float]] = [[] for _ in AGES]
            torch.manual_seed(0)
            with torch.no_grad():
                ideal = network(name, values, config(None, False)).eval()(x)
            for seed in range(10):
                torch.manual_seed(seed)
                model = network(name, values, config(bits, True, scale)).eval()
                for layer in model.modules():
                    if hasattr(layer, "program_analog_weights"):
                        layer.program_analog_weights()
                for number, age in enumerate(AGES):
                    for layer in model.modules():
                        if hasattr(layer, "drift_analog_weights"):
                            layer.drift_analog_weights(age)
                    with torch.no_grad():
                        got = model(x)
                    top1[number].append(float((got.argmax(1).numpy() == labels).mean()))
                    error[number].append(
                        float(torch.linalg.norm(got - ideal) / torch.linalg.norm(ideal))
                    )
            found[f"{name} {case}"] = {"top1": top1, "error": error}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    golden = {"aihwkit": "1.2.0", "ages": AGES, "products": products(), "digits": digits()}
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    for key, rows in golden["products"].items():
        print(key, [f"{np.mean(row):.4f}+-{np.std(row):.4f}" for row in rows])
    for key, case in golden["digits"].items():
        means = [[f"{np.mean(row):.4f}" for row in case[part]] for part in ("top1", "error")]
        print(key, *means)
