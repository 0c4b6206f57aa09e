"""What a chip is made of: one file each, with its time, its action counts, its arithmetic."""
