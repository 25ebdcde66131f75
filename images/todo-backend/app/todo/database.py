"""The connection to PostgreSQL, as DATABASE_URL says."""

import os

import asyncpg

#: Longest wait for a connection, seconds.
PATIENCE = 5


def url() -> str:
    found = os.environ.get("DATABASE_URL", "")
    if not found.startswith(("postgres://", "postgresql://")):
        raise SystemExit("DATABASE_URL: expected postgresql://user:password@host:5432/todo")
    return found


async def pool() -> asyncpg.Pool | None:
    """Connects at the first query: the service is up before its database is. None where nobody said where that is."""
    if not os.environ.get("DATABASE_URL"):
        return None
    return await asyncpg.create_pool(url(), min_size=0, max_size=5, timeout=PATIENCE, command_timeout=PATIENCE)
