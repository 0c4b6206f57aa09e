"""Where points run: one executor a file."""
