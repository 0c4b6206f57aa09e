"""Wrong inputs: each a one-line edit of a shipped file, and what must be said about it.

(name, old text, new text, code of the problem, where it must point: a word of the line marked, or
"" for the whole file). The line that must be named is the first one holding the marker.
"""

from __future__ import annotations

#: edits of configs/chips/int8_edge.yaml
CHIP = [
    ("tab indent", "  node: 22 nm", "\tnode: 22 nm", "node"),
    ("not yaml", "technology:", "technology: [", ""),
    ("duplicate key", "  voltage: 0.8 V", "  voltage: 0.8 V\n  voltage: 0.9 V", "voltage: 0.9"),
    ("unknown top key", "precision:", "precisoin:", "precisoin"),
    ("missing name", "name: int8_edge\n", "", ""),
    ("unknown unit key", "    rows: 32", "    row: 32", "row: 32"),
    ("rows zero", "    rows: 32", "    rows: 0", "rows: 0"),
    ("rows negative", "    rows: 32", "    rows: -4", "rows: -4"),
    ("rows fraction", "    rows: 32", "    rows: 3.5", "rows: 3.5"),
    ("rows text", "    rows: 32", "    rows: many", "rows: many"),
    ("rows a list", "    rows: 32", "    rows: [32]", "rows: [32]"),
    ("rows too many", "    rows: 32", "    rows: 99999999", "rows: 99999999"),
    ("rows empty", "    rows: 32", "    rows:", "rows:"),
    ("unknown dataflow", "dataflow: weight_stationary", "dataflow: weight_stationry", "dataflow"),
    ("unknown kind", "kind: mac_array", "kind: mac_aray", "kind: mac_aray"),
    ("kind missing", "    kind: mac_array\n", "", "  array:"),
    ("unknown clock", "    clock: core\n    rows", "    clock: cor\n    rows", "clock: cor\n"),
    ("clock of zero", "core: 800 MHz", "core: 0 MHz", "core: 0"),
    ("clock in bytes", "core: 800 MHz", "core: 800 MiB", "core: 800"),
    ("clock without unit", "core: 800 MHz", "core: fast", "core: fast"),
    ("size without sense", "size: 128 KiB", "size: 128 KiX", "128 KiX"),
    ("size negative", "size: 128 KiB", "size: -1 KiB", "-1 KiB"),
    ("size in hertz", "size: 128 KiB", "size: 1 GHz", "size: 1 GHz"),
    ("banks zero", "size: 128 KiB, banks: 4", "size: 128 KiB, banks: 0", "banks: 0"),
    ("efficiency above one", "efficiency: 0.85", "efficiency: 1.5", "efficiency: 1.5"),
    ("efficiency nan", "efficiency: 0.85", "efficiency: .nan", ".nan"),
    ("bandwidth infinite", "bandwidth: 17 GB/s", "bandwidth: .inf", ".inf"),
    ("bandwidth zero", "bandwidth: 17 GB/s", "bandwidth: 0 GB/s", "bandwidth: 0"),
    ("burst of bits", "burst: 64 B", "burst: 0 B", "burst: 0"),
    ("unknown standard", "standard: lpddr4", "standard: lpddr99", "lpddr99"),
    ("unknown memory", "    input: input_buffer\n    weight", "    input: inputbuffer\n    weight",
     "inputbuffer"),
    ("buffer is dram", "    weight: weight_buffer", "    weight: dram", "weight: dram"),
    ("dma to sram", "memory: dram", "memory: input_buffer", "memory: input_buffer"),
    ("unknown format", "input: int8, weight: int8}\nweights", "input: int9, weight: int8}\nweights",
     "int9"),
    ("float format", "input: int8, weight: int8}\nweights",
     "input: fp8_152, weight: int8}\nweights", "fp8_152"),
    ("rate missing", "- {input: int8, weight: int8}", "- {input: int4, weight: int4}", ""),
    ("rates no list", "    rates:\n      - {input: int8, weight: int8}", "    rates: 8", "rates: 8"),
    ("accumulator too narrow", "bits: 32, overflow", "bits: 1, overflow", "bits: 1,"),
    ("unknown overflow", "overflow: wrap", "overflow: wrapp", "wrapp"),
    ("depth zero", "stationary_depth: 2", "stationary_depth: 0", "stationary_depth: 0"),
    ("weights warm", "weights: cold", "weights: warm", "weights: warm"),
    ("unknown family", "family: horowitz_45nm", "family: horowitz", "family: horowitz"),
    ("unknown sram device", "sram_device: itrs-lstp", "sram_device: magic", "magic"),
    ("node out of range", "node: 22 nm", "node: 300 nm", "300 nm"),
    ("voltage negative", "voltage: 0.8 V", "voltage: -0.8 V", "-0.8"),
    ("boolean as text", "    stationary_depth: 2", "    stationary_depth: 2\n    bypass: maybe",
     "bypass: maybe"),
    ("no units", "units:", "unit:", "unit:"),
    ("alias bomb", "name: int8_edge", "name: &a [x]\nb: [*a, *a]", ""),
]
#: edits of workloads/digits_cnn.yaml
TRACE = [
    ("unknown operator kind", "kind: conv2d, input: x", "kind: conv3d, input: x", "conv3d"),
    ("unknown tensor", "input: conv1, kernel", "input: conv9, kernel", "conv9"),
    ("forward reference", "input: x, filters", "input: fc, filters", "input: fc"),
    ("same name twice", "name: conv2,", "name: conv1,", "name: conv1, kind: conv2d, input: pool1"),
    ("filters zero", "filters: 16", "filters: 0", "filters: 0"),
    ("filters missing", "filters: 16, ", "", "input: x"),
    ("kernel too large", "kernel: 3, padding: 1, bias: true, activation: relu}\n  - {name: pool1",
     "kernel: 30, padding: 1, bias: true, activation: relu}\n  - {name: pool1", "kernel: 30"),
    ("kernel of three", "input: pool1, filters: 32, kernel: 3", "input: pool1, filters: 32, kernel: [3, 3, 3]",
     "[3, 3, 3]"),
    ("groups do not divide", "input: pool1, filters: 32", "input: pool1, groups: 3, filters: 32",
     "groups: 3"),
    ("unknown activation", "activation: relu}\n  - {name: pool1", "activation: gelu}\n  - {name: pool1",
     "gelu"),
    ("unknown operator key", "n: 10, bias", "n: 10, bais", "bais"),
    ("shape of five", "x: [1, 1, 8, 8]", "x: [1, 1, 8, 8, 8]", "[1, 1, 8, 8, 8]"),
    ("shape negative", "x: [1, 1, 8, 8]", "x: [1, 1, -8, 8]", "-8"),
    ("shape of text", "x: [1, 1, 8, 8]", "x: big", "x: big"),
    ("no inputs", "inputs: {x: [1, 1, 8, 8]}", "inputs: {}", "inputs: {}"),
    ("operators no list", "operators:", "operators: 3\nrest:", "operators: 3"),
    ("gemm of four dimensions", "input: flat, n: 10", "input: pool2, n: 10", "input: pool2, n"),
    ("values elsewhere", "values: digits_cnn.npz", "values: ../../etc/passwd", "passwd"),
    ("values missing", "values: digits_cnn.npz", "values: none.npz", "none.npz"),
    ("huge layer", "filters: 16", "filters: 99999999999", "99999999999"),
]
#: edits of configs/mappings/small_gemm.yaml
MAPPING = [
    ("unknown operator", "  product:", "  produkt:", "produkt"),
    ("tile too large", "height: 32", "height: 320", "height: 320"),
    ("tile zero", "n: 24", "n: 0", "n: 0"),
    ("unknown order", "order: mnk", "order: mmk", "order: mmk"),
    ("unknown mapping key", "k: 96", "kk: 96", "kk: 96"),
    ("unknown mapping dataflow", "weight_stationary", "row_stationary", "row_stationary"),
    ("resident text", "weight_resident: true", "weight_resident: perhaps", "perhaps"),
]
MAPPING += [
    ("unknown split", "order: mnk", "split: w", "split: w"),
    ("height fraction", "height: 32", "height: 3.5", "height: 3.5"),
    ("width too large", "n: 24", "width: 2", "width: 2"),
    ("slots zero", "n: 24", "input_slots: 0", "input_slots: 0"),
    ("slots too many", "n: 24", "input_slots: 900", "input_slots: 900"),
    ("batch of a product", "n: 24", "batch: 2", "batch: 2"),
    ("operators missing", "operators:", "operator:", "operator:"),
    ("order a list", "order: mnk", "order: [m, n, k]", "[m, n, k]"),
]
#: edits of configs/chips/int8_edge.yaml: constants of the user's own; {C} stands for its list
_C = "  voltage: 0.8 V\n  constants:\n    - {"
CONSTANTS = [
    ("constant unknown", "key: array/mac_int9, value: 1 pJ, source: us, confidence: run}", "mac_int9"),
    ("constant without source", "key: dram/lpddr4/bit, value: 1 pJ, confidence: run}", "dram/lpddr4"),
    ("constant without value", "key: dram/lpddr4/bit, source: us, confidence: run}", "dram/lpddr4"),
    ("constant without unit", "key: dram/lpddr4/bit, value: 4, source: us, confidence: run}", "value: 4"),
    ("constant in watts", "key: dram/lpddr4/bit, value: 4 W, source: us, confidence: run}", "4 W"),
    ("constant negative", "key: dram/lpddr4/bit, value: -4 pJ, source: us, confidence: run}", "-4 pJ"),
    ("constant nan", "key: dram/lpddr4/bit, value: .nan, source: us, confidence: run}", ".nan"),
    ("confidence unknown", "key: dram/lpddr4/bit, value: 4 pJ, source: us, confidence: sure}", "sure"),
    ("constant's node far off", "key: dram/lpddr4/bit, value: 4 pJ, source: us, confidence: run, "
     "node: 3 m}", "3 m"),
    ("constant with a typo", "key: dram/lpddr4/bit, valeu: 4 pJ, source: us, confidence: run}", "valeu"),
]
CHIP += [(name, "  voltage: 0.8 V", _C + text, marker) for name, text, marker in CONSTANTS]
CHIP += [
    ("constants no list", "  voltage: 0.8 V", "  voltage: 0.8 V\n  constants: many", "constants: many"),
    ("background in joules", "    efficiency: 0.85", "    background: 3 J", "3 J"),
]
#: edits of tests/scalesim/small.cfg
CFG = [
    ("rows missing", "ArrayHeight:    8\n", "", ""),
    ("rows zero", "ArrayHeight:    8", "ArrayHeight:    0", "ArrayHeight"),
    ("rows text", "ArrayHeight:    8", "ArrayHeight:    many", "ArrayHeight"),
    ("rows negative", "ArrayHeight:    8", "ArrayHeight:    -8", "ArrayHeight"),
    ("rows fraction", "ArrayHeight:    8", "ArrayHeight:    8.5", "ArrayHeight"),
    ("rows twice", "ArrayHeight:    8", "ArrayHeight: 8\nArrayHeight: 9", "ArrayHeight: 9"),
    ("columns huge", "ArrayWidth:     4", "ArrayWidth: 99999999", "ArrayWidth"),
    ("buffer missing", "FilterSramSzkB:  32\n", "", ""),
    ("buffer text", "FilterSramSzkB:  32", "FilterSramSzkB: big", "FilterSramSzkB"),
    ("buffer tiny", "FilterSramSzkB:  32", "FilterSramSzkB: 1", ""),
    ("dataflow unknown", "Dataflow : ws", "Dataflow : rs", "Dataflow"),
    ("dataflow missing", "Dataflow : ws\n", "", ""),
    ("bandwidth text", "Bandwidth : 10", "Bandwidth : wide", "Bandwidth"),
    ("bandwidth missing", "Bandwidth : 10\n", "", ""),
    ("bandwidth zero", "Bandwidth : 10", "Bandwidth : 0", "Bandwidth"),
    ("mode unknown", "InterfaceBandwidth: USER", "InterfaceBandwidth: FAST", "InterfaceBandwidth"),
    ("no section", "[general]\n", "", "run_name"),
    ("no key", "Dataflow : ws", "Dataflow ws", "Dataflow ws"),
    ("digits of another script", "ArrayHeight:    8", "ArrayHeight:    \u0668", "ArrayHeight"),
    ("zero byte", "Dataflow : ws", "Dataflow : w\0s", ""),
]
#: edits of tests/scalesim/small.csv
CSV = [
    ("number missing", "Conv1, 12, 12, 3, 3, 2, 5, 2,", "Conv1, 12, 12, 3, 3,", "Conv1"),
    ("number text", "Conv1, 12, 12,", "Conv1, twelve, 12,", "twelve"),
    ("number empty", "Conv1, 12, 12,", "Conv1, , 12,", "Conv1"),
    ("number zero", "Conv1, 12, 12, 3,", "Conv1, 12, 12, 0,", "Conv1"),
    ("number negative", "Conv1, 12, 12, 3,", "Conv1, 12, 12, -3,", "Conv1"),
    ("number huge", "Conv1, 12, 12,", "Conv1, 99999999999999999999, 12,", "Conv1"),
    ("number fraction", "2, 5, 2,", "2, 5.5, 2,", "Conv1"),
    ("filter too tall", "Conv1, 12, 12, 3, 3,", "Conv1, 12, 12, 13, 3,", "Conv1"),
    ("filter too wide", "Conv1, 12, 12, 3, 3,", "Conv1, 12, 12, 3, 13,", "Conv1"),
    ("stride zero", "2, 5, 2,", "2, 5, 0,", "Conv1"),
    ("semicolons", "Conv1, 12, 12, 3, 3, 2, 5, 2,", "Conv1; 12; 12; 3; 3, 2, 5, 2", "Conv1"),
    ("gemm header", "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
     "Num Filter, Strides,", "Layer, M, N, K,", "Layer"),
    ("zero byte in csv", "Conv1, 12", "Conv1\0, 12", ""),
    ("not utf-8", "Conv1, 12", "Conv\udcff, 12", ""),
]
#: arguments after "run int8_edge small_gemm"
ARGUMENTS = [
    ("set without value", ["--set", "units.array.rows"], "set.form"),
    ("set of no key", ["--set", "units.aray.rows=4"], "no key"),
    ("set out of range", ["--set", "units.array.rows=0"], "rows"),
    ("set deeper than a value", ["--set", "name.x.y=4"], "name"),
    ("no such engine", ["--engine", "warp"], "warp"),
    ("batch zero", ["--batch", "0"], "batch"),
    ("batch text", ["--batch", "few"], "few"),
    ("no such input", ["--input", "nowhere.npz"], "nowhere.npz"),
    ("unknown option", ["--fast"], "--fast"),
    ("no such mapping", ["--mapping", "nowhere.yaml"], "nowhere.yaml"),
    ("buffers too small", ["--set", "memories.output_buffer.size=1 B"], "output_buffer"),
    ("resident weights too large", ["--set", "weights=resident", "--set",
                                    "memories.weight_buffer.size=1 KiB"], "weight_buffer"),
    ("no such operating point", ["--point", "turbo"], "turbo"),
]
