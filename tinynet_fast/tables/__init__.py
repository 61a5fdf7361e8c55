"""From a person's own table to a model and a report: `train` and `evaluate`."""
