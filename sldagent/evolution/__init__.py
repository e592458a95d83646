"""The search: islands of law programs, proposed in a fixed order, judged by workers, committed in order."""
