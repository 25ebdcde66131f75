"""MemoryFusionHub, seed 004's section E: keeps short memories in this process, the newest that are asked for most."""

import os

from cachetools import LRUCache
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI(title="MemoryFusionHub")
memories = LRUCache(maxsize=int(os.environ.get("MEMORIES", "1000")))


class Memory(BaseModel):
    text: str


@app.get("/health")
def health():
    return {"status": "ok", "service": os.environ.get("SERVICE", "MemoryFusionHub"), "memories": len(memories)}


@app.put("/memories/{name}", status_code=204)
def keep(name: str, memory: Memory) -> None:
    memories[name] = memory.text


@app.get("/memories/{name}")
def recall(name: str) -> Memory:
    if name not in memories:
        raise HTTPException(404, f"nothing is remembered of {name}")
    return Memory(text=memories[name])
