"""Language models: what is asked and answered, adapters to providers, and above them one policy, one ledger.

`specs.parse_spec` reads ``openai:MODEL`` and its like, `adapters.make_backend` makes the adapter,
`client.LiveChat` asks with retries, budget and ledger, `replay.ReplayChat` answers from recorded rows.
No provider's package is imported before its adapter is made.
"""
