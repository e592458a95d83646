"""The chapters of a run's page, each a function of the evidence."""
