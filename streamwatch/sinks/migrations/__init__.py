"""How the outbox's tables in PostgreSQL came to be, step by step, for alembic."""
