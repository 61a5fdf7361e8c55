"""Blocks of rows through a kernel, epoch after epoch: history, validation, early stopping, progress."""
