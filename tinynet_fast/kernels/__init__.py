"""The arithmetic: loops over arrays, one file for each engine. Imports nothing from the rest of the package."""
