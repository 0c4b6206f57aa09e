"""Register-transfer model of the MAC arrays, the Verilog of the same, and what drives both.

It proves the closed forms of units/mac_array.py (docs/timing.md); no simulation uses it.
"""
