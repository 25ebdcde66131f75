"""The reference service: stands in for a service of the fleet that has no source of its own.

/health   JSON; 200 as long as it serves, with what it reaches of what it works with
/metrics  Prometheus' text format
/machine  the machine's defaults, as this process sees them
"""

import json
import os
import socket
import time
import urllib.parse
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse

PROFILE = "/etc/machine-profile.json"
SERVICE = os.environ.get("SERVICE", "reference")
MACHINE = os.environ.get("MACHINE", "")
STARTED = time.monotonic()
requests = {}


@asynccontextmanager
async def lifespan(app):
    # Handlers that are no coroutines run in threads: as many as the machine's profile says.
    workers = int(os.environ.get("THREAD_WORKERS", "40"))
    anyio.to_thread.current_default_thread_limiter().total_tokens = workers
    yield


app = FastAPI(title=SERVICE, lifespan=lifespan)


@app.middleware("http")
async def count(request: Request, call_next):
    response = await call_next(request)
    # Unknown paths are one: a scanner's guesses must not become series without end.
    known = {route.path for route in app.routes}
    path = request.url.path if request.url.path in known else "other"
    key = (path, response.status_code)
    requests[key] = requests.get(key, 0) + 1
    return response


@app.get("/health")
def health():
    checks = {}
    if os.environ.get("REDIS_URL"):
        checks["redis"] = redis_answers(os.environ["REDIS_URL"])
    status = "ok" if all(checks.values()) else "degraded"
    uptime = round(time.monotonic() - STARTED, 3)
    return JSONResponse(
        {"status": status, "service": SERVICE, "machine": MACHINE, "uptime_seconds": uptime, "checks": checks}
    )


@app.get("/metrics")
def metrics():
    lines = [
        "# HELP keelson_service_info What runs here.",
        "# TYPE keelson_service_info gauge",
        f"keelson_service_info{{service={label(SERVICE)},machine={label(MACHINE)}}} 1",
        "# HELP keelson_service_uptime_seconds Since the process began.",
        "# TYPE keelson_service_uptime_seconds gauge",
        f"keelson_service_uptime_seconds {time.monotonic() - STARTED:.3f}",
        "# HELP keelson_http_requests_total Answered requests.",
        "# TYPE keelson_http_requests_total counter",
        *(
            f"keelson_http_requests_total{{path={label(path)},code=\"{code}\"}} {number}"
            for (path, code), number in sorted(requests.items())
        ),
    ]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8")


@app.get("/machine")
def machine():
    """Only the variables that the profile names: an environment holds secrets too."""
    try:
        with open(PROFILE, encoding="utf-8") as file:
            names = json.load(file)["environment"]
    except FileNotFoundError:
        names = {}
    return {"environment": {name: os.environ.get(name) for name in names}}


def redis_answers(url):
    """Redis' PING, without a client library."""
    at = urllib.parse.urlsplit(url)
    try:
        with socket.create_connection((at.hostname or "localhost", at.port or 6379), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def label(value):
    """As Prometheus quotes the value of a label."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
