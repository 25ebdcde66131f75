#!/bin/sh
# SystemDigitalTwin: keeps its history in SQLite, what is now in Redis.
set -eu
: "${REDIS_URL:?digital_twin.sh: expected REDIS_URL, such as redis://redis:6379/0}"
export DATABASE="${DATABASE:-/app/twin.db}"
# Made, or found to be no database, before anything is served.
python3 -c 'import os, sqlite3; sqlite3.connect(os.environ["DATABASE"]).execute("PRAGMA user_version = 1")'
exec service_entry.sh
