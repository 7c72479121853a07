"""Who asks for an operation, how that is known, and what they may. Pure."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from seed_server.fleet.roles import ALL_RIGHTS, NO_RIGHTS, Rights

Evidence: TypeAlias = Literal["local user", "password", "key", "token", "oidc", "engine", "enrolment token"]
"""How an actor is known. A local user is anyone whom the operating system lets read the server's home; by an enrolment
token, a PC is; by a key (WebAuthn) that has verified them, people are without a password."""
Barred: TypeAlias = Literal["", "disabled", "expired", "revoked", "owner disabled", "foreign", "login over"]
"""Why somebody may nothing at all, whatever their rights; empty: they are not barred."""

LOCAL_PREFIX = "local:"
ENGINE_NAME = "engine"


@dataclass(frozen=True)
class Actor:
    """A person or program on whose behalf state changes; every operation is handed one and names it in what it logs."""

    name: str
    """Of the account; of a token, that of its owner; of a local user, that of the system."""
    known_by: Evidence
    rights: Rights = NO_RIGHTS
    token_id: str = ""
    """The API token that speaks for them."""
    barred: Barred = ""
    session_id: str = ""
    """The session in a browser that they come by."""

    @classmethod
    def local_user(cls, name: str) -> Self:
        """Return the user of this machine's command line, who may all that the machine's administrator may."""
        return cls(name, "local user", ALL_RIGHTS)

    @classmethod
    def engine(cls) -> Self:
        """Return what carries on by itself what people have started."""
        return cls(ENGINE_NAME, "engine", ALL_RIGHTS)

    @property
    def by_account(self) -> bool:
        """Whether they have shown that an account of this server is theirs: what is their own, they change."""
        return self.known_by in ("password", "key")

    @property
    def who(self) -> str:
        """How records name them: ``local:ada``, ``ada``, ``ada/5f0c6a1b92d4`` (a token), ``engine``."""
        if self.known_by == "local user":
            return f"{LOCAL_PREFIX}{self.name}"
        return f"{self.name}/{self.token_id}" if self.token_id else self.name

    @property
    def person(self) -> str:
        """The person behind it, whichever way they came; the same name is the same person. The engine is nobody."""
        return "" if self.known_by == "engine" else person_of(self.who)

    def __str__(self) -> str:
        return f"{self.name} ({self.known_by})"


def person_of(who: str) -> str:
    """Return the person behind a name in a record, `Actor.who`; empty: the engine."""
    name = who.removeprefix(LOCAL_PREFIX)
    if not who.startswith(LOCAL_PREFIX):
        name = name.partition("/")[0]
        if name == ENGINE_NAME:
            return ""
    return name.casefold()
