"""The closed list of reasons why a neighbour is not connected; the values are texts for people. Pure."""

import enum


class PeerReason(enum.StrEnum):
    """Why a neighbour is not connected."""

    NOT_TRIED = "not tried yet"
    NOTHING_TO_FETCH = "not needed: this endpoint has all pieces"
    BOTH_COMPLETE = "both complete"
    OTHER_SITE = "in another site"
    OTHER_SWARM = "in another company's swarm"
    OVER_CONNECTION_CAP = "over the connection cap"
    GONE = "not announced any more"
    ITSELF = "this endpoint itself"
    CONNECTION_REFUSED = "connection refused"
    TIMED_OUT = "timed out"
    UNREACHABLE = "address not reachable"
    CERTIFICATE_REFUSED = "its certificate was refused"
    REFUSED_OUR_CERTIFICATE = "it refused our certificate"
    TLS_FAILED = "TLS handshake failed"
    NOT_SHARED = "does not share this patch now"
    STILL_CHECKING = "still checking its files"
    DUPLICATE = "the other one of two connections was kept"
    SENT_BAD_DATA = "sent bad data"
    CONNECTION_LOST = "connection lost"
    OTHER = "closed for another reason"
