"""Brings the database's schema up to date: `python3 -m todo.migrate`, before a new version serves.

Each file of migrations/ runs once, in order, all of them in one transaction: the schema is the new one or the old one.
Several of these at a time wait for each other. What ran is remembered with its hash: a file that was changed
afterwards is an error. A database that is further than this program is left as it is, or nobody could go back to the
version before: a migration keeps what that one reads and writes.
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


async def migrate(connection: asyncpg.Connection, folder: Path = FOLDER) -> tuple[list[str], list[str]]:
    """Runs what has not run yet. Returns the names of those files, and what of a later version ran before."""
    files = sorted(folder.glob("*.sql"))
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (name text PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
        )
        ran = dict(await connection.fetch("SELECT name, sha256 FROM schema_migration"))
        last = files[-1].name if files else ""
        unknown = sorted(ran.keys() - {file.name for file in files})
        lost = [name for name in unknown if name < last]
        if lost:
            raise MigrationError(f"the database has {', '.join(lost)}, which this version should have and has not")
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
        return fresh, unknown


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
        fresh, later = await migrate(connection)
    finally:
        await connection.close()
    if later:
        print(f"the schema is of a later version, and stays as it is: {', '.join(later)}")
        return
    print(f"ran {', '.join(fresh)}" if fresh else "the schema is up to date")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (MigrationError, OSError, asyncpg.PostgresError, TimeoutError) as error:
        sys.exit(f"migration failed, nothing was changed: {error or type(error).__name__}")
