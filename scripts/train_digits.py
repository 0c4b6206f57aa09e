"""Train the digits networks and write workloads/digits*.npz: images for training and test, weights.
Needs scikit-learn for the images.

    python scripts/train_digits.py

Three networks on scikit-learn's bundled 8 x 8 digits: an MLP 64-128-10, a small CNN
and a residual one. NumPy only,
fixed seeds. After training in float, activation ranges are read off the training images: the
whole range for wide formats and, for formats of up to five bits, the clip with the least squared
error of a 4-bit code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

OUT = Path(__file__).parent.parent / "workloads"
SEED, TEST = 7, 500
Layers = list[tuple[str, dict[str, int]]]

MLP: Layers = [("fc1", {"n": 128, "relu": 1}), ("fc2", {"n": 10})]
CNN: Layers = [
    ("conv1", {"filters": 16, "relu": 1}),
    ("pool1", {"pool": 2}),
    ("conv2", {"filters": 32, "relu": 1}),
    ("pool2", {"pool": 2}),
    ("flat", {}),
    ("fc", {"n": 10}),
]

RESIDUAL: Layers = [
    ("conv1", {"filters": 16, "relu": 1}),
    ("conv2", {"filters": 16, "relu": 1}),
    ("conv3", {"filters": 16}),
    ("sum", {"add": 1, "relu": 1}),
    ("pool1", {"pool": 2}),
    ("conv4", {"filters": 24, "relu": 1}),
    ("pool2", {"pool": 2}),
    ("flat", {}),
    ("fc", {"n": 10}),
]
SKIPS = {"sum": "conv1"}  # what an addition adds


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images in 0..16 and labels: training, then test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    x, y = digits.images[order], digits.target[order]
    return x[TEST:], y[TEST:], x[:TEST], y[:TEST]


def columns(x: np.ndarray) -> np.ndarray:
    """(batch, h, w, c * 9) 3 x 3 neighbourhoods with one row of padding."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(*x.shape[:1], *x.shape[2:], -1)


class Net:
    """Forward and backward by hand, momentum SGD with a cosine schedule."""

    def __init__(self, layers: Layers, shape: tuple[int, ...], seed: int) -> None:
        self.layers, self.values = layers, {}
        rng = np.random.default_rng(seed)
        probe = np.zeros((1, *shape))
        for name, spec in layers:
            if "filters" in spec:
                fan = probe.shape[1] * 9
                scale = np.sqrt(2 / fan)
                size = (spec["filters"], probe.shape[1], 3, 3)
                self.values[f"{name}.weight"] = rng.normal(0, scale, size)
                self.values[f"{name}.bias"] = np.zeros(spec["filters"])
            elif "n" in spec:
                fan = probe.shape[1]
                self.values[f"{name}.weight"] = rng.normal(0, np.sqrt(2 / fan), (fan, spec["n"]))
                self.values[f"{name}.bias"] = np.zeros(spec["n"])
            if "add" not in spec:
                probe = self.step(name, spec, probe)[0]

    def step(self, name: str, spec: dict[str, int], x: np.ndarray) -> tuple[np.ndarray, object]:
        if "filters" in spec:
            cols = columns(x)
            w = self.values[f"{name}.weight"].reshape(spec["filters"], -1)
            out = (cols @ w.T + self.values[f"{name}.bias"]).transpose(0, 3, 1, 2)
            keep: object = cols
        elif "pool" in spec:
            b, c, h, w_ = x.shape
            blocks = x.reshape(b, c, h // 2, 2, w_ // 2, 2).transpose(0, 1, 2, 4, 3, 5)
            flat = blocks.reshape(b, c, h // 2, w_ // 2, 4)
            pick = flat.argmax(-1)
            return flat.max(-1), (pick, x.shape)
        elif "n" in spec:
            out, keep = x @ self.values[f"{name}.weight"] + self.values[f"{name}.bias"], x
        else:
            return x.reshape(len(x), -1), x.shape
        return (np.maximum(out, 0) if spec.get("relu") else out), (keep, out)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, list[object], dict[str, np.ndarray]]:
        saved, seen = [], {}
        for name, spec in self.layers:
            if "add" in spec:
                x = np.maximum(x + seen[SKIPS[name]], 0)
                keep: object = x
            else:
                x, keep = self.step(name, spec, x)
            saved.append(keep)
            seen[name] = x
        return x, saved, seen

    def gradients(self, saved: list[object], grad: np.ndarray) -> dict[str, np.ndarray]:
        found, skipped = {}, {}
        for (name, spec), keep in zip(self.layers[::-1], saved[::-1], strict=True):
            grad = grad + skipped.get(name, 0)
            if "add" in spec:
                grad = grad * (keep > 0)
                skipped[SKIPS[name]] = grad
                continue
            if "pool" in spec:
                pick, shape = keep
                b, c, h, w = shape
                flat = np.zeros((*pick.shape, 4))
                np.put_along_axis(flat, pick[..., None], grad[..., None], -1)
                blocks = flat.reshape(b, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5)
                grad = blocks.reshape(shape)
                continue
            if "filters" not in spec and "n" not in spec:
                grad = grad.reshape(keep)
                continue
            inner, out = keep
            if spec.get("relu"):
                grad = grad * (out > 0)
            if "n" in spec:
                found[f"{name}.weight"], found[f"{name}.bias"] = inner.T @ grad, grad.sum(0)
                grad = grad @ self.values[f"{name}.weight"].T
                continue
            flat = grad.transpose(0, 2, 3, 1)
            weight = self.values[f"{name}.weight"]
            found[f"{name}.weight"] = np.tensordot(flat, inner, ((0, 1, 2),) * 2).reshape(
                weight.shape
            )
            found[f"{name}.bias"] = flat.sum((0, 1, 2))
            cols = flat @ weight.reshape(len(weight), -1)
            b, h, w, _ = cols.shape
            cols = cols.reshape(b, h, w, weight.shape[1], 3, 3)
            back = np.zeros((b, weight.shape[1], h + 2, w + 2))
            for i in range(3):
                for j in range(3):
                    back[:, :, i : i + h, j : j + w] += cols[..., i, j].transpose(0, 3, 1, 2)
            grad = back[:, :, 1:-1, 1:-1]
        return found


def train(layers: Layers, x: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> Net:
    net = Net(layers, x.shape[1:], seed)
    rng = np.random.default_rng(seed)
    speed = {key: np.zeros_like(value) for key, value in net.values.items()}
    steps = epochs * (len(x) // 32)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for low in range(0, len(x) - 31, 32):
            part = order[low : low + 32]
            batch = x[part]
            if batch.ndim == 4:  # shifted images: one pixel left or right, up or down
                batch = np.roll(batch, rng.integers(-1, 2), rng.integers(2, 4))
            scores, saved, _ = net.forward(batch)
            p = np.exp(scores - scores.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[np.arange(len(part)), y[part]] -= 1
            rate = 0.05 * 0.5 * (1 + np.cos(np.pi * step / steps))
            for key, grad in net.gradients(saved, p / len(part)).items():
                speed[key] = 0.9 * speed[key] + grad + 1e-4 * net.values[key]
                net.values[key] -= rate * speed[key]
            step += 1
    return net


def clip4(values: np.ndarray) -> tuple[float, float]:
    """The upper clip of a non-negative tensor whose 16 levels have the least squared error."""
    high = float(values.max())
    best = min(
        (float(((np.clip(np.rint(values / (c / 15)), 0, 15) * (c / 15) - values) ** 2).sum()), c)
        for c in (high * f for f in np.linspace(0.2, 1.0, 81))
    )
    return 0.0, best[1]


def save(name: str, net: Net, x: np.ndarray) -> None:
    """Weights as float32, ranges of every activation rounded to three digits."""
    _, _, seen = net.forward(x)
    values = {key: value.astype(np.float32) for key, value in net.values.items()}
    values["x.range"] = np.array([0.0, 1.0])
    for tensor, value in seen.items():
        values[f"{tensor}.range"] = np.array(
            [float(f"{value.min():.3g}"), float(f"{value.max():.3g}")]
        )
        if value.min() >= 0:
            values[f"{tensor}.range4"] = np.array([float(f"{v:.3g}") for v in clip4(value)])
    np.savez_compressed(OUT / f"{name}.npz", **values)


def main() -> None:
    train_x, train_y, test_x, test_y = load()
    np.savez_compressed(
        OUT / "digits.npz", images=test_x.astype(np.uint8), labels=test_y.astype(np.uint8)
    )
    np.savez_compressed(
        OUT / "digits_train.npz", images=train_x.astype(np.uint8), labels=train_y.astype(np.uint8)
    )
    for name, layers, shape, epochs in (
        ("digits_mlp", MLP, (-1, 64), 60),
        ("digits_cnn", CNN, (-1, 1, 8, 8), 40),
        ("digits_residual", RESIDUAL, (-1, 1, 8, 8), 8),
    ):
        net = train(layers, train_x.reshape(shape) / 16, train_y, epochs, SEED)
        scores, _, _ = net.forward(test_x.reshape(shape) / 16)
        save(name, net, train_x.reshape(shape) / 16)
        print(f"{name}: top-1 {100 * (scores.argmax(1) == test_y).mean():.2f} % (float64)")


if __name__ == "__main__":
    main()
