"""The Program: the table, its enumerations, its rules, its text and files."""
