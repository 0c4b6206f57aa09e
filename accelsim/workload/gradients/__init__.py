"""Gradients of operators: one kind a file, which bears its name. accelsim/workload/backward.py is the contract."""
