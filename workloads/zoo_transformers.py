"""Transformers and recurrent networks of the zoo; make_zoo.py writes them.

Attention is written as it runs: heads are views of the projections, scores and mixes are products of
two computed tensors, and 1 / sqrt(head size) is folded into the query's weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field


def vector(name: str, kind: str, *sources: str, **keys: object) -> str:
    """One vector operator's line."""
    read = sources[0] if len(sources) == 1 else f"[{', '.join(sources)}]"
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return f"  - {{name: {name}, kind: {kind}, input: {read}{more}}}"


@dataclass(slots=True)
class Network:
    """Lines of one trace."""

    name: str
    description: str
    source: str
    inputs: dict[str, tuple[int, ...]]
    constants: dict[str, tuple[int, ...]] = field(default_factory=dict)
    batch: int = 1
    tokens: int = 0
    lines: list[str] = field(default_factory=list)

    def vector(self, name: str, kind: str, *sources: str, **keys: object) -> str:
        """Add a vector operator; its name."""
        self.lines.append(vector(name, kind, *sources, **keys))
        return name

    def gemm(self, name: str, source: str, n: int, bias: bool = True, **keys: object) -> str:
        """Add a product; its name."""
        more = "".join(f", {key}: {value}" for key, value in keys.items())
        end = ", bias: true" if bias else ""
        self.lines.append(f"  - {{name: {name}, kind: gemm, input: {source}, n: {n}{more}{end}}}")
        return name

    def heads(self, name: str, source: str, rows: int, heads: int, size: int) -> str:
        """(heads, rows, size) of (rows, heads x size): addresses only."""
        self.vector(f"{name}_split", "reshape", source, shape=[rows, heads, size])
        return self.vector(f"{name}_heads", "transpose", f"{name}_split", order=[1, 0, 2])

    def attention(
        self,
        name: str,
        x: str,
        memory: str,
        rows: int,
        keys: int,
        heads: int,
        size: int,
        bias: bool = True,
        rotary: bool = False,
        past: int = 0,
    ) -> str:
        """Multi-head attention with its output projection. past: rows of caches before the new ones."""
        width = heads * size
        q, k, v = (
            self.gemm(f"{name}_{part}", source, width, bias)
            for part, source in (("q", x), ("k", memory), ("v", memory))
        )
        if rotary:
            q, k = (self.vector(f"{part}_turned", "rotary", part) for part in (q, k))
        queries = self.heads(f"{name}_q", q, rows, heads, size)
        new = keys - past
        both = []
        for part, source in (("k", k), ("v", v)):
            made = self.heads(f"{name}_{part}", source, new, heads, size)
            if past:
                self.inputs[f"{name}_{part}_cache"] = (heads, past, size)
                made = self.vector(f"{name}_{part}_all", "append", f"{name}_{part}_cache", made)
            both.append(made)
        self.gemm(f"{name}_scores", queries, keys, False, weight=both[0], weight_transposed="true")
        self.vector(f"{name}_weights", "softmax", f"{name}_scores")
        self.gemm(f"{name}_mix", f"{name}_weights", size, False, weight=both[1])
        self.vector(f"{name}_rows", "transpose", f"{name}_mix", order=[1, 0, 2])
        self.vector(f"{name}_joined", "reshape", f"{name}_rows", shape=[rows, width])
        return self.gemm(f"{name}_out", f"{name}_joined", width, bias)

    def text(self) -> list[str]:
        """The file's lines."""

        def shapes(of: dict[str, tuple[int, ...]]) -> str:
            return ", ".join(f"{name}: {list(shape)}" for name, shape in of.items())

        head = [
            f"name: {self.name}",
            f"description: {self.description}",
            f"source: {self.source}",
            f"batch: {self.batch}",
            *([f"tokens: {self.tokens}"] if self.tokens else []),
            f"inputs: {{{shapes(self.inputs)}}}",
        ]
        if self.constants:
            head.append(f"constants: {{{shapes(self.constants)}}}")
        return [*head, "operators:", *self.lines]


def post_norm(
    net: Network,
    name: str,
    x: str,
    width: int,
    hidden: int,
    rows: int,
    keys: int,
    memory: str = "",
    activation: str = "gelu",
) -> str:
    """A layer as in the original: norms behind the sums. memory: the encoder's output, for a decoder."""
    heads = width // 64
    y = net.attention(f"{name}_self", x, x, rows, rows, heads, 64)
    x = net.vector(f"{name}_norm1", "layer_norm", net.vector(f"{name}_sum1", "add", y, x))
    if memory:
        y = net.attention(f"{name}_cross", x, memory, rows, keys, heads, 64)
        x = net.vector(f"{name}_norm2", "layer_norm", net.vector(f"{name}_sum2", "add", y, x))
    net.gemm(f"{name}_up", x, hidden)
    net.vector(f"{name}_act", activation, f"{name}_up")
    net.gemm(f"{name}_down", f"{name}_act", width)
    return net.vector(
        f"{name}_norm3", "layer_norm", net.vector(f"{name}_sum3", "add", f"{name}_down", x)
    )


def pre_norm(net: Network, name: str, x: str, width: int, rows: int, past: int = 0) -> str:
    """A layer with its norms in front, as in GPT-2 and ViT."""
    net.vector(f"{name}_norm1", "layer_norm", x)
    y = net.attention(
        f"{name}_attention",
        f"{name}_norm1",
        f"{name}_norm1",
        rows,
        past + rows,
        width // 64,
        64,
        past=past,
    )
    x = net.vector(f"{name}_sum1", "add", y, x)
    net.vector(f"{name}_norm2", "layer_norm", x)
    net.gemm(f"{name}_up", f"{name}_norm2", 4 * width)
    net.vector(f"{name}_act", "gelu", f"{name}_up")
    net.gemm(f"{name}_down", f"{name}_act", width)
    return net.vector(f"{name}_sum2", "add", f"{name}_down", x)


def vit_b16() -> Network:
    """Dosovitskiy et al., ICLR 2021."""
    net = Network(
        "vit_b16",
        "ViT-B/16 for 224 x 224 images",
        "Dosovitskiy et al., ICLR 2021, table 1, ViT-Base with patches of 16",
        {"image": (1, 3, 224, 224)},
        {"class_token": (1, 768), "positions": (197, 768)},
    )
    net.lines.append(
        "  - {name: patches, kind: conv2d, input: image, filters: 768, kernel: 16, stride: 16, "
        "bias: true}"
    )
    net.vector("columns", "reshape", "patches", shape=[768, 196])
    net.vector("tokens", "transpose", "columns", order=[1, 0])
    net.vector("sequence", "concat", "class_token", "tokens", axis=0)
    x = net.vector("embedded", "add", "sequence", "positions")
    for layer in range(12):
        x = pre_norm(net, f"layer{layer}", x, 768, 197)
    net.vector("norm", "layer_norm", x)
    net.vector("first", "slice", "norm", shape=[1, 768])
    net.gemm("classes", "first", 1000)
    return net


def bert_base(rows: int = 128) -> Network:
    """Devlin et al., NAACL 2019, with the pooler."""
    net = Network(
        "bert_base",
        f"BERT-base, {rows} tokens, with the pooler",
        "Devlin et al., NAACL 2019, section 3",
        {"tokens": (rows,), "segments": (rows,)},
        {"words": (30522, 768), "positions": (512, 768), "types": (2, 768)},
        tokens=rows,
    )
    net.vector("word", "gather", "words", "tokens", shape=[rows, 768])
    net.vector("position", "slice", "positions", shape=[rows, 768])
    net.vector("type", "gather", "types", "segments", shape=[rows, 768])
    net.vector("sum", "add", net.vector("word_type", "add", "word", "type"), "position")
    x = net.vector("embedded", "layer_norm", "sum")
    for layer in range(12):
        x = post_norm(net, f"layer{layer}", x, 768, 3072, rows, rows)
    net.vector("first", "slice", x, shape=[1, 768])
    net.vector("pooled", "tanh", net.gemm("pooler", "first", 768))
    return net


def gpt2(rows: int, past: int) -> Network:
    """Radford et al., 2019, the smallest; logits of the last token, whose weight is the word table."""
    name = "gpt2_decode" if past else "gpt2_prefill"
    what = f"one token after {past}" if past else f"{rows} tokens at once"
    net = Network(
        name,
        f"GPT-2 small, {what}",
        "Radford et al., 2019, table 2; 12 layers of width 768",
        {"tokens": (rows,)},
        {"words": (50257, 768), "positions": (1024, 768)},
        tokens=rows,
    )
    net.vector("word", "gather", "words", "tokens", shape=[rows, 768])
    net.vector("position", "slice", "positions", shape=[rows, 768])
    x = net.vector("embedded", "add", "word", "position")
    for layer in range(12):
        x = pre_norm(net, f"layer{layer}", x, 768, rows, past)
    if not past:
        x = net.vector("last", "slice", x, shape=[1, 768])
    net.vector("norm", "layer_norm", x)
    net.gemm("logits", "norm", 50257, False, weight="words", weight_transposed="true")
    return net


def llama_7b(rows: int, past: int) -> Network:
    """Touvron et al., arXiv 2302.13971, 7B; logits of the last token."""
    name = "llama_7b_decode" if past else "llama_7b_prefill"
    what = f"one token at a context of {past + rows}" if past else f"{rows} tokens at once"
    net = Network(
        name,
        f"LLaMA-7B, {what}",
        "Touvron et al., arXiv 2302.13971, table 2",
        {"tokens": (rows,)},
        {"words": (32000, 4096)},
        tokens=rows,
    )
    x = net.vector("embedded", "gather", "words", "tokens", shape=[rows, 4096])
    for layer in range(32):
        part = f"layer{layer}"
        net.vector(f"{part}_norm1", "rms_norm", x)
        y = net.attention(
            f"{part}_attention",
            f"{part}_norm1",
            f"{part}_norm1",
            rows,
            past + rows,
            32,
            128,
            False,
            True,
            past,
        )
        x = net.vector(f"{part}_sum1", "add", y, x)
        net.vector(f"{part}_norm2", "rms_norm", x)
        net.gemm(f"{part}_gate", f"{part}_norm2", 11008, False)
        net.gemm(f"{part}_up", f"{part}_norm2", 11008, False)
        net.vector(f"{part}_act", "silu", f"{part}_gate")
        net.vector(f"{part}_product", "multiply", f"{part}_act", f"{part}_up")
        net.gemm(f"{part}_down", f"{part}_product", 4096, False)
        x = net.vector(f"{part}_sum2", "add", f"{part}_down", x)
    if not past:
        x = net.vector("last", "slice", x, shape=[1, 4096])
    net.vector("norm", "rms_norm", x)
    net.gemm("logits", "norm", 32000, False)
    return net


def transformer_base(source: int = 64, target: int = 64) -> Network:
    """Vaswani et al., NIPS 2017: six layers each, one shared table of 37,000 words."""
    net = Network(
        "transformer_base",
        f"Transformer-base for translation, {source} tokens to {target}",
        "Vaswani et al., NIPS 2017, table 3, base; 37,000 shared word pieces",
        {
            "source_tokens": (source,),
            "target_tokens": (target,),
            "source_places": (source, 512),
            "target_places": (target, 512),
        },
        {"words": (37000, 512)},
        tokens=target,
    )
    ends = []
    for side, rows in (("source", source), ("target", target)):
        net.vector(f"{side}_words", "gather", "words", f"{side}_tokens", shape=[rows, 512])
        x = net.vector(f"{side}_embedded", "add", f"{side}_words", f"{side}_places")
        for layer in range(6):
            x = post_norm(
                net, f"{side}{layer}", x, 512, 2048, rows, source, ends[0] if ends else "", "relu"
            )
        ends.append(x)
    net.gemm("logits", ends[1], 37000, False, weight="words", weight_transposed="true")
    return net


def speech_lstm(steps: int = 21, batch: int = 1) -> Network:
    """Zhang et al., ICASSP 2019 (arXiv 1904.04956): six bidirectional layers of 512 cells a direction,
    a projection to 256, 32,000 states; 260 inputs, unrolled over 21 frames."""
    net = Network(
        "speech_lstm",
        f"bidirectional LSTM acoustic model, {steps} frames",
        "Zhang et al., ICASSP 2019, arXiv 1904.04956, section 4",
        {"frames": (steps * batch, 260)},
        {"zeros": (batch, 512)},
        batch=batch,
    )
    x = "frames"
    for layer in range(6):
        states: dict[str, list[str]] = {}
        for side in ("forward", "backward"):
            part = f"layer{layer}_{side}"
            net.gemm(f"{part}_inputs", x, 2048)
            h = c = "zeros"
            order = range(steps) if side == "forward" else range(steps)[::-1]
            found = [""] * steps
            for step in order:
                now = net.vector(f"{part}_x{step}", "slice", f"{part}_inputs", shape=[batch, 2048])
                back = net.gemm(f"{part}_r{step}", h, 2048, False, weight=f"{part}_R")
                gates = net.vector(f"{part}_gates{step}", "add", now, back)
                c = net.vector(f"{part}_c{step}", "lstm_cell", gates, c)
                h = found[step] = net.vector(f"{part}_h{step}", "lstm_output", gates, c)
            states[side] = found
        joined = [
            net.vector(
                f"layer{layer}_out{step}",
                "concat",
                states["forward"][step],
                states["backward"][step],
                axis=1,
            )
            for step in range(steps)
        ]
        x = net.vector(f"layer{layer}", "concat", *joined, axis=0)
    net.gemm("projection", x, 256)
    net.gemm("states", "projection", 32000)
    return net


def made() -> list[list[str]]:
    """Every file's lines."""
    networks = (
        vit_b16(),
        bert_base(),
        gpt2(1024, 0),
        gpt2(1, 1023),
        llama_7b(256, 0),
        llama_7b(1, 2047),
        transformer_base(),
        speech_lstm(),
    )
    return [network.text() for network in networks]
