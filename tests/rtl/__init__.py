"""The Verilog of the arrays and multipliers, and what runs it."""
