"""Other programs' files as Workloads: one file each. Heavy libraries are imported on use."""
