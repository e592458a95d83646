"""Discovery on a suite of tables, scored on their test rows beside published figures."""
