"""What every kind of operator does, row by row: one loop nest a file."""
