"""Whose word PCs want before they take a rollout: from a file to what offline keys sign.

    required = 2              # so many different approvers
    required_in_emergency = 1

    [keys]                    # of accounts; each file is beside this one, and was written by `approver new-key`
    alice = "alice.pub"
    bob = "bob.pub"
    carol = "carol.pub"

Blocking.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.approvers import (
    APPROVERS_TARGET,
    MAX_APPROVERS,
    Approvers,
    encode_approvers,
)
from p2pdist.shared.manifest.staged import MAX_APPROVALS
from p2pdist.shared.toml_config import parse_toml
from seed_server.fleet.accounts import checked_account_name
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.four_eyes import required_of
from seed_server.fleet.operation import operation as _operation
from seed_server.signing.key_files import OfflineKeys, raw_public_key, read_public_key

MAX_APPROVER_FILE_BYTES = 64 << 10

_Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_APPROVALS)]


class _ApproverFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    required: _Count
    keys: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=MAX_APPROVERS)]
    required_in_emergency: _Count = 1


def read_approvers(context: Context) -> Approvers | None:
    """Return whose word PCs want; None: nobody's. Raises `UserError`: NOT_SET_UP, STORAGE."""
    return context.repository().approvers()


@_operation("keys")
def set_approvers(context: Context, actor: Actor, file: Path | None, keys: OfflineKeys) -> Approvers | None:
    """Sign the list in ``file`` (None: nobody's word is wanted any more), in place of the one before.

    Writes the repository. Needs the patches key. Raises `UserError`: BAD_INPUT, NOT_SET_UP, REFUSED (key), STORAGE,
    BUSY.
    """
    approvers = approvers_in(context, file)
    recorder = context.recorded(actor, Deed("set approvers", APPROVERS_TARGET, details=_details(approvers)))
    data = None if approvers is None else encode_approvers(approvers)
    repository = context.repository(recorder)
    repository.change_document("patches", APPROVERS_TARGET, data, key=keys.load("patches"), now=context.clock.now())
    return approvers


def approvers_in(context: Context, file: Path | None) -> Approvers | None:
    """Return the list in ``file``, checked; None: nobody. Raises `UserError`: BAD_INPUT, NOT_SET_UP, STORAGE."""
    before = context.repository().approvers()
    if file is None:
        if before is None:
            raise UserError("No approvers are set.", FaultKind.BAD_INPUT)
        return None
    asked = _read(file)
    keys = {checked_account_name(name): _key(file.parent / path) for name, path in asked.keys.items()}
    if len(set(keys.values())) < len(asked.keys):
        raise UserError(
            f"{file}: two approvers have the same key or the same name. Each person makes a key of their own: "
            "seed-server approver new-key",
            FaultKind.BAD_INPUT,
        )
    if (why := required_of(max(asked.required, asked.required_in_emergency), list(keys))) is not None:
        raise UserError(f"{file}: {why}", FaultKind.BAD_INPUT)
    return Approvers(
        format=1,
        keys=keys,
        required=asked.required,
        required_in_emergency=asked.required_in_emergency,
        # a later one would let patches go by that needed approvals until now
        since=int(context.clock.now()) if before is None else before.since,
    )


def _read(file: Path) -> _ApproverFile:
    try:
        text = read_capped(file, MAX_APPROVER_FILE_BYTES).decode()
        return parse_toml(text, _ApproverFile, source=str(file))
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT) from error
    except (FileTooLargeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is no list of approvers: {error}", FaultKind.BAD_INPUT) from error


def _key(path: Path) -> bytes:
    return raw_public_key(read_public_key(path))


def _details(approvers: Approvers | None) -> dict[str, str]:
    if approvers is None:
        return {"approvers": ""}
    return {"approvers": " ".join(sorted(approvers.keys)), "required": str(approvers.required)}
