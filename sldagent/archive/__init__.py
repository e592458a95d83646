"""The database: every run, candidate and score, in SQLite or PostgreSQL.

`sldagent.archive.store.Archive` is the way in; `sldagent.archive.records` holds the values that go in and
come out.
Nothing is imported here, so that the values can be used without loading the database library.
"""
