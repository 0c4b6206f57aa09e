"""Kinds of vector operator: each module has KINDS, by the name that a layer trace writes."""
