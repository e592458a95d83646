"""The proposer that asks a language model.

`proposer` renders the prompt of a child, `conversation` asks, reads the answer and allows one repair, `concepts` remembers
which promises held.
"""
