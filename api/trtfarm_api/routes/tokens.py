"""Tokens: who may ask this server for anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from trtfarm.projects import DEFAULT_PROJECT
from trtfarm.tokens import Scope, Token, create_token, list_tokens, revoke_token
from trtfarm_api.access import Admin, FarmHere
from trtfarm_api.auditing import note
from trtfarm_api.names import Name, Word

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])


class NewToken(BaseModel):
    """Without `days` it lasts until it is revoked."""

    model_config = ConfigDict(extra="forbid")

    name: Word
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = [Scope.SUBMIT]
    project: Word = DEFAULT_PROJECT
    days: Annotated[float | None, Field(gt=0, le=36_500, allow_inf_nan=False)] = None


class Tokens(BaseModel):
    items: list[Token]


@dataclass(frozen=True, kw_only=True)
class MadeToken(Token):
    """A token with its secret, which is told this once."""

    token: str


@router.get("")
def tokens(farm: FarmHere, _actor: Admin) -> Tokens:
    """Tokens, newest first, revoked ones too; nobody knows what opens them."""
    return Tokens(items=list_tokens(farm.database))


@router.post("", status_code=status.HTTP_201_CREATED)
def create(farm: FarmHere, _actor: Admin, request: Request, response: Response, new: NewToken) -> MadeToken:
    """Makes a token. Its secret is in this answer and nowhere else."""
    secret, token = create_token(farm.database, name=new.name, scopes=new.scopes, project=new.project, days=new.days)
    note(request, token=token.id)
    response.headers["Cache-Control"] = "no-store"
    return MadeToken(**vars(token), token=secret)


@router.post("/{token}/revoke")
def revoke(farm: FarmHere, _actor: Admin, request: Request, token: Name) -> Token:
    """Ends a token at once."""
    revoked = revoke_token(farm.database, token)
    note(request, token=revoked.id)
    return revoked
