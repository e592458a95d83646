"""Trajectory forecasting: accuracy at later checkpoints from the first ones, by a quantile transformer and by plain laws."""
