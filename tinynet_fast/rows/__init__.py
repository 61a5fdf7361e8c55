"""Turns what the user has (lists, arrays, frames, files) into blocks of rows and codes of labels. No training here."""
