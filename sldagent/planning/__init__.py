"""Decisions from any law: how to spend compute, which settings, what a target costs, which runs to make next."""
