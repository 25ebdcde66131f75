"""Todos in PostgreSQL, over HTTP."""
