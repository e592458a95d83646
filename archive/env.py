"""Alembic's entry: runs the migrations on the connection that `sldagent.archive.migrate` hands over.

The caller owns the transaction, so that making or upgrading an archive happens wholly or not at all.
"""

from alembic import context

from sldagent.archive.models import Base

config = context.config
connection = config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run through sldagent.archive.migrate, which passes the connection")

context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=config.attributes["version_table"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
