"""What the official cases leave open, against `trunkline.interop.ExtraService`."""

import time

import grpc
from grpc_status import rpc_status

from cases import Requests, expect, expect_error
from support import extra, extra_grpc
from wire import Tap

# Ten times what anything here takes on a slow machine; what hangs goes past it.
PROMPTLY = 5.0

# Every code point but those of surrogates, some at a time: their escapes have to fit a header block.
CODE_POINTS_A_CALL = 256


def trunkline_metadata(stub, _):
    """Values come back as they were: several of a name in order, bytes of any length and value."""
    sent = [
        ("x-extra-text", "first"),
        ("x-extra-text", "second, with a comma"),
        ("x-extra-text", "~!@#$%^&*()_+|}{\":?><"),
    ]
    sent += [("x-extra-%d-bin" % size, bytes(range(256 - size, 256))) for size in range(9)]
    sent += [("x-extra-all-bin", bytes(range(256)))]
    sent += [("x-extra-two-bin", b"\x00"), ("x-extra-two-bin", b"\xff\xfe")]
    _, call = stub.Echo.with_call(extra.Nothing(), metadata=sent)

    def ours(metadata):
        return sorted((name, value) for name, value in metadata if name.startswith("x-extra-"))

    expect("headers", ours(call.initial_metadata()), sorted(sent))
    expect("trailers", ours(call.trailing_metadata()), sorted(sent))
    texts = [value for name, value in call.initial_metadata() if name == "x-extra-text"]
    expect("order", texts, [value for name, value in sent if name == "x-extra-text"])


def trunkline_status_messages(stub, _):
    """Every character there is comes back in the text of a status."""
    everything = [*range(0xD800), *range(0xE000, 0x110000)]
    for start in range(0, len(everything), CODE_POINTS_A_CALL):
        text = "".join(map(chr, everything[start : start + CODE_POINTS_A_CALL]))
        request = extra.FailRequest(code=9, message=text)
        error = expect_error(lambda: stub.Fail(request), grpc.StatusCode.FAILED_PRECONDITION)
        expect("text", error.details(), text)


def trunkline_status_details(stub, _):
    """Details arrive, and those that are too long take neither the status nor the connection with them."""
    request = extra.FailRequest(code=5, message="no such thing", detail_bytes=1000)
    error = expect_error(lambda: stub.Fail(request), grpc.StatusCode.NOT_FOUND)
    # Fails where the code or the text in the details are not those of the trailers.
    status = rpc_status.from_call(error)
    expect("details", [detail.type_url for detail in status.details],
           ["type.googleapis.com/trunkline.interop.Chunk"])
    chunk = extra.Chunk()
    status.details[0].Unpack(chunk)
    expect("bytes in the detail", chunk.body, bytes(1000))
    request = extra.FailRequest(code=5, message="no such thing", detail_bytes=1 << 20)
    error = expect_error(lambda: stub.Fail(request), grpc.StatusCode.NOT_FOUND)
    expect("start of the text", error.details()[:13], "no such thing")
    trunkline_metadata(stub, _)


def trunkline_early_answer(stub, _):
    """An answer to the first of endless requests is seen, whatever it is, and ends the requests."""
    for code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OK):
        ended = []

        def requests():
            begin = time.monotonic()
            request = extra.EarlyRequest(code=code.value[0], body=bytes(64 * 1024))
            try:
                while time.monotonic() - begin < 4 * PROMPTLY:
                    yield request
            finally:
                ended.append(time.monotonic() - begin)

        begin = time.monotonic()
        call = stub.AnswerEarly.future(requests())
        expect("code", call.code(), code)
        took = time.monotonic() - begin
        if took > PROMPTLY:
            raise AssertionError(f"the answer took {took:.1f} s")
        if code != grpc.StatusCode.OK:
            expect("text", call.details(), "that is enough")


def trunkline_first_reply(stub, _):
    """Straight-line code works though the server says nothing, not even headers, before its first answer."""
    requests = Requests()
    begin = time.monotonic()
    responses = stub.Converse(iter(requests))
    for number in range(3):
        chunk = extra.Chunk(body=bytes([number]))
        requests.send(chunk)
        expect("answer", next(responses), chunk)
    took = time.monotonic() - begin
    requests.finish()
    expect("after half-close", list(responses), [])
    if took > PROMPTLY:
        raise AssertionError(f"three answers took {took:.1f} s")


def trunkline_deadlines(stub, _):
    """The server knows how much time is left, in every unit, and both ends keep to it."""
    none = stub.Deadline(extra.DeadlineRequest())
    expect("without a deadline", none.left_ms < 0, True)
    for seconds in (10, 3600, 100_000, 90_000_000):
        left = stub.Deadline(extra.DeadlineRequest(), timeout=seconds).left_ms / 1e3
        # grpcio rounds long timeouts up to units of what it sends.
        if not seconds - PROMPTLY < left < seconds * 1.02 + 1:
            raise AssertionError(f"of {seconds} s the server saw {left} s")
    begin = time.monotonic()
    request = extra.DeadlineRequest(wait_ms=60_000)
    expect_error(
        lambda: stub.Deadline(request, timeout=0.2), grpc.StatusCode.DEADLINE_EXCEEDED
    )
    expect("kept to", time.monotonic() - begin < PROMPTLY, True)


def trunkline_keepalive(_, connect):
    """While a call waits for its answer, the PINGs of both sides are acknowledged."""
    options = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_timeout_ms", 1000),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with Tap(connect.port) as tap:
        stub = extra_grpc.ExtraServiceStub(connect(port=tap.port, options=options))
        stub.Deadline(extra.DeadlineRequest(wait_ms=3500))
        for side, other in (("client", "server"), ("server", "client")):
            # What goes over TLS cannot be looked at.
            if not connect.is_private:
                expect_acknowledged(tap, side, other)


def expect_acknowledged(tap, side, other):
    """A side has sent PINGs, and the other one acknowledges each; the last of them perhaps in a moment."""
    expect(f"the {side} has sent PINGs", len(tap.pings(side)) > 0, True)
    begin = time.monotonic()
    while missing := tap.pings(side) - tap.acks(other):
        if time.monotonic() - begin > PROMPTLY:
            raise AssertionError(f"PINGs of the {side} without an acknowledgement: {missing}")
        time.sleep(0.01)


CASES = {
    case.__name__: case
    for case in (
        trunkline_metadata,
        trunkline_status_messages,
        trunkline_status_details,
        trunkline_early_answer,
        trunkline_first_reply,
        trunkline_deadlines,
        trunkline_keepalive,
    )
}
