#!/bin/sh
# ServiceRegistry: keeps what it knows in Redis.
set -eu
: "${REDIS_URL:?registry_entry.sh: expected REDIS_URL, such as redis://redis:6379/0}"
exec service_entry.sh
