"""A FastAPI app behind authmw.

AUTHMW_CONFIG=inventory.conf uvicorn fastapi_app:app --port 8080
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI

import authmw
import authmw.asgi

app = FastAPI()
# All of the app is behind the filter. The file has a section [keystone_authtoken]; see
# etc/authmw.conf.sample.
app.add_middleware(authmw.asgi.AuthMiddleware, config_file=os.environ["AUTHMW_CONFIG"])

ITEMS: dict[str, list[str]] = {}  # by project

Member = Annotated[
    authmw.Token, Depends(authmw.asgi.require_token(roles="member", scope="project"))
]


@app.get("/items")
@authmw.require(roles="reader", scope="project")
async def list_items() -> list[str]:
    return ITEMS.get(authmw.current_token().project.id, [])


@app.post("/items", status_code=201)
async def add_item(token: Member) -> list[str]:
    owned = ITEMS.setdefault(token.project.id, [])
    owned.append(f"added by {token.user.name}")
    return owned
