"""The HTTP interface."""

from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, AsyncIterator

import asyncpg
from fastapi import FastAPI, HTTPException, Path, Request, Response
from pydantic import BaseModel, StringConstraints

from .database import pool

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
#: PostgreSQL's integer.
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]


class NewTodo(BaseModel):
    title: Title


class Change(BaseModel):
    title: Title | None = None
    done: bool | None = None


class Todo(BaseModel):
    id: int
    title: str
    created_at: datetime
    done_at: datetime | None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await pool()
    yield
    if app.state.pool is not None:
        await app.state.pool.close()


app = FastAPI(title="todo-backend", version="1.0.0", lifespan=lifespan)


def database(request: Request) -> asyncpg.Pool:
    if request.app.state.pool is None:
        raise HTTPException(503, "DATABASE_URL is not set")
    return request.app.state.pool


@app.exception_handler(OSError)
@app.exception_handler(TimeoutError)
@app.exception_handler(asyncpg.PostgresError)
@app.exception_handler(asyncpg.InterfaceError)
async def database_failed(request: Request, error: Exception) -> Response:
    print(f"{request.method} {request.url.path}: {type(error).__name__}: {error}", flush=True)
    return Response('{"detail":"the database does not answer"}', 503, media_type="application/json")


@app.get("/health")
async def health() -> dict[str, str]:
    """The process serves; its database may be away."""
    return {"status": "ok"}


@app.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """A request can be served: the database answers, and has the table."""
    await database(request).fetchval("SELECT 1 FROM todo LIMIT 1")
    return {"database": "ok"}


@app.get("/api/todos")
async def todos(request: Request) -> list[Todo]:
    rows = await database(request).fetch("SELECT * FROM todo ORDER BY done_at DESC NULLS FIRST, id")
    return [Todo(**row) for row in rows]


@app.post("/api/todos", status_code=201)
async def create(new: NewTodo, request: Request) -> Todo:
    return Todo(**await database(request).fetchrow("INSERT INTO todo (title) VALUES ($1) RETURNING *", new.title))


@app.patch("/api/todos/{id}")
async def change(id: Id, to: Change, request: Request) -> Todo:
    row = await database(request).fetchrow(
        "UPDATE todo SET title = coalesce($2, title),"
        " done_at = CASE WHEN $3::boolean IS NULL THEN done_at WHEN $3 THEN coalesce(done_at, now()) END"
        " WHERE id = $1 RETURNING *",
        id,
        to.title,
        to.done,
    )
    if row is None:
        raise HTTPException(404, "no such todo")
    return Todo(**row)


@app.delete("/api/todos/{id}", status_code=204)
async def delete(id: Id, request: Request) -> None:
    if await database(request).fetchval("DELETE FROM todo WHERE id = $1 RETURNING id", id) is None:
        raise HTTPException(404, "no such todo")
