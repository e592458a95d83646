"""Where candidates are evaluated: one interface, in this process or in local worker processes."""
