"""`p2pdist.trust.https_client`: its sockets. Its errors are in test_enrolment.py, its caps in test_tuf_metadata.py."""

import gc
from functools import partial

import trio

from p2pdist.trust.http_answers import base_url
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.tls_contexts import unverified_context


async def test_a_cancelled_handshake_leaves_no_socket_to_the_garbage_collector() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = base_url(*listener.socket.getsockname()[:2])
    with trio.fail_after(10):
        async with listener, HttpsClient(unverified_context()) as client, trio.open_nursery() as nursery:
            nursery.start_soon(partial(client.get, url, max_bytes=1))
            async with await listener.accept() as silent:
                assert await silent.receive_some()  # it has begun, and waits for an answer
                nursery.cancel_scope.cancel()
    gc.collect()  # a socket that is still open is a warning here, which is an error
