"""Brings the database's schema up to date: `python3 -m todo.migrate`, before a new version serves.

Each file of migrations/ runs once, in order, all of them in one transaction: the schema is the new one or the old one.
Several of these at a time wait for each other. What ran is remembered with its hash: a file that was changed
afterwards is an error, and so is a database that is further than this program.
"""

import argparse
import asyncio
import hashlib
import sys
import time
from pathlib import Path

import asyncpg

from .database import PATIENCE, url

FOLDER = Path(__file__).parent / "migrations"
#: Any number, the same in every process: what PostgreSQL's advisory lock is on.
LOCK = 7_436_001
#: Pause between two tries to connect, seconds.
PAUSE = 2


class MigrationError(Exception):
    """Schema and files don't fit together."""


async def migrate(connection: asyncpg.Connection, folder: Path = FOLDER) -> list[str]:
    """Runs what has not run yet. Returns the names of those files."""
    files = sorted(folder.glob("*.sql"))
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (name text PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
        )
        ran = dict(await connection.fetch("SELECT name, sha256 FROM schema_migration"))
        unknown = sorted(ran.keys() - {file.name for file in files})
        if unknown:
            raise MigrationError(f"the database has {', '.join(unknown)}, which this version does not know: run a newer one")
        fresh = []
        for file in files:
            text = file.read_text()
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            if file.name not in ran:
                await connection.execute(text)
                await connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)", file.name, sha256)
                fresh.append(file.name)
            elif ran[file.name] != sha256:
                raise MigrationError(f"{file.name} was changed after it ran: put it back, and write another file")
        return fresh


async def connect(wait: float) -> asyncpg.Connection:
    """Connects; tries again for so many seconds, since a first install starts the database at the same time."""
    end = time.monotonic() + wait
    told = False
    while True:
        try:
            return await asyncpg.connect(url(), timeout=PATIENCE)
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
            if time.monotonic() + PAUSE > end:
                raise
            if not told:
                why = error or type(error).__name__
                print(f"the database does not answer yet, tried for {wait:g} s: {why}", file=sys.stderr, flush=True)
                told = True
            await asyncio.sleep(PAUSE)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m todo.migrate", description="Brings the schema up to date.")
    parser.add_argument(
        "--wait", type=float, default=60, metavar="SECONDS", help="for a database that does not answer yet (60)"
    )
    connection = await connect(parser.parse_args().wait)
    try:
        fresh = await migrate(connection)
    finally:
        await connection.close()
    print(f"ran {', '.join(fresh)}" if fresh else "the schema is up to date")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (MigrationError, OSError, asyncpg.PostgresError, TimeoutError) as error:
        sys.exit(f"migration failed, nothing was changed: {error or type(error).__name__}")
