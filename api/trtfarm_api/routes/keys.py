"""The public keys that this farm's engines are signed with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from trtfarm.signing.keyring import Keyring
from trtfarm_api.access import FarmHere, Reader

router = APIRouter(prefix="/v1/keys", tags=["keys"])


class KeyView(BaseModel):
    """A public key; `own` is the one that this host signs with, the others are trusted by it."""

    key: Annotated[str, Field(description="Its id, as engines name it.")]
    own: bool
    public: Annotated[str, Field(description="The key itself, in PEM.")]


class Keys(BaseModel):
    items: list[KeyView]


@router.get("")
def keys(farm: FarmHere, _actor: Reader) -> Keys:
    """Whose engines are handed out here, the server's own key first; it is made now if no engine needed it yet."""
    keyring = Keyring.of(farm.settings)
    keyring.signer()
    found = [KeyView(key=key.id, own=key.own, public=key.public.pem().decode()) for key in keyring.trusted()]
    return Keys(items=found)
