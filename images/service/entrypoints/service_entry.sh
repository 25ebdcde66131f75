#!/bin/sh
# Starts a service: the module SERVICE_APP of /app, on PORT.
set -eu
exec python3 -m uvicorn --app-dir /app --host 0.0.0.0 --port "${PORT:-8000}" --log-level "${LOG_LEVEL:-warning}" \
  "${SERVICE_APP:-reference:app}"
