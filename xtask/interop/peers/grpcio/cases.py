"""The cases of the interop test descriptions, as far as grpcio can say them."""

import queue
import time

import grpc

from support import ECHO_INITIAL, ECHO_TRAILING, payload, testing, testing_grpc

REQUEST_SIZES = [27182, 8, 1828, 45904]
RESPONSE_SIZES = [31415, 9, 2653, 58979]
LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
VERY_LARGE = 100 * 1024 * 1024
INITIAL_VALUE = "test_initial_metadata_value"
TRAILING_VALUE = b"\xab\xab\xab"
STATUS_TEXT = "test status message"
SPECIAL_TEXT = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
UNKNOWN = 2


def expect(what, found, expected):
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


def expect_error(call, code):
    """The error that `call` ends with, which has to be of this code."""
    try:
        value = call()
    except grpc.RpcError as error:
        if error.code() == code:
            return error
        raise AssertionError(f"expected {code}, found {error.code()}: {error.details()}") from error
    raise AssertionError(f"expected {code}, found {str(value)[:200]}")


def large(**more):
    return testing.SimpleRequest(
        response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST), **more
    )


def ask(request_size, response_size):
    return testing.StreamingOutputCallRequest(
        response_parameters=[testing.ResponseParameters(size=response_size)],
        payload=payload(request_size),
    )


def sizes(responses):
    return [len(response.payload.body) for response in responses]


def is_(value):
    return testing.BoolValue(value=value)


class Requests:
    """Requests of a stream, one at a time; ends with `finish`."""

    def __init__(self):
        self._queue = queue.SimpleQueue()

    def send(self, request):
        self._queue.put(request)

    def finish(self):
        self._queue.put(None)

    def __iter__(self):
        return iter(self._queue.get, None)


def empty_unary(stub, _):
    stub.EmptyCall(testing.Empty())


def large_unary(stub, _):
    expect("size", len(stub.UnaryCall(large()).payload.body), LARGE_RESPONSE)


def client_streaming(stub, _):
    requests = (testing.StreamingInputCallRequest(payload=payload(size)) for size in REQUEST_SIZES)
    expect("sum", stub.StreamingInputCall(requests).aggregated_payload_size, sum(REQUEST_SIZES))


def server_streaming(stub, _):
    parameters = [testing.ResponseParameters(size=size) for size in RESPONSE_SIZES]
    request = testing.StreamingOutputCallRequest(response_parameters=parameters)
    expect("sizes", sizes(stub.StreamingOutputCall(request)), RESPONSE_SIZES)


def ping_pong(stub, _):
    requests = Requests()
    responses = stub.FullDuplexCall(iter(requests))
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.send(ask(request_size, response_size))
        expect("size", len(next(responses).payload.body), response_size)
    requests.finish()
    expect("after half-close", list(responses), [])
    expect("code", responses.code(), grpc.StatusCode.OK)


def empty_stream(stub, _):
    responses = stub.FullDuplexCall(iter([]))
    expect("without a request", list(responses), [])


def trunkline_half_duplex(stub, _):
    requests = [ask(*both) for both in zip(REQUEST_SIZES, RESPONSE_SIZES)]
    expect("sizes", sizes(stub.HalfDuplexCall(iter(requests))), RESPONSE_SIZES)


def cancel_after_begin(stub, _):
    requests = Requests()
    call = stub.StreamingInputCall.future(iter(requests))
    call.cancel()
    expect("cancelled", call.cancelled(), True)
    expect("code", call.code(), grpc.StatusCode.CANCELLED)
    requests.finish()


def cancel_after_first_response(stub, _):
    requests = Requests()
    responses = stub.FullDuplexCall(iter(requests))
    requests.send(ask(27182, 31415))
    expect("size", len(next(responses).payload.body), 31415)
    responses.cancel()
    expect_error(lambda: next(responses), grpc.StatusCode.CANCELLED)
    requests.finish()


def timeout_on_sleeping_server(stub, _):
    requests = Requests()
    requests.send(testing.StreamingOutputCallRequest(payload=payload(27182)))
    responses = stub.FullDuplexCall(iter(requests), timeout=0.001)
    expect_error(lambda: next(responses), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.finish()


def status_code_and_message(stub, _):
    status = testing.EchoStatus(code=UNKNOWN, message=STATUS_TEXT)
    error = expect_error(
        lambda: stub.UnaryCall(testing.SimpleRequest(response_status=status)),
        grpc.StatusCode.UNKNOWN,
    )
    expect("text, unary", error.details(), STATUS_TEXT)
    requests = iter([testing.StreamingOutputCallRequest(response_status=status)])
    responses = stub.FullDuplexCall(requests)
    error = expect_error(lambda: list(responses), grpc.StatusCode.UNKNOWN)
    expect("text, stream", error.details(), STATUS_TEXT)


def special_status_message(stub, _):
    status = testing.EchoStatus(code=UNKNOWN, message=SPECIAL_TEXT)
    error = expect_error(
        lambda: stub.UnaryCall(testing.SimpleRequest(response_status=status)),
        grpc.StatusCode.UNKNOWN,
    )
    expect("text", error.details(), SPECIAL_TEXT)


def custom_metadata(stub, _):
    metadata = [(ECHO_INITIAL, INITIAL_VALUE), (ECHO_TRAILING, TRAILING_VALUE)]

    def check(call):
        initial = dict(call.initial_metadata())
        expect("initial", initial.get(ECHO_INITIAL), INITIAL_VALUE)
        expect("trailing", dict(call.trailing_metadata()).get(ECHO_TRAILING), TRAILING_VALUE)

    response, call = stub.UnaryCall.with_call(large(), metadata=metadata)
    expect("size, unary", len(response.payload.body), LARGE_RESPONSE)
    check(call)
    call = stub.FullDuplexCall(iter([ask(LARGE_REQUEST, LARGE_RESPONSE)]), metadata=metadata)
    expect("sizes, stream", sizes(call), [LARGE_RESPONSE])
    check(call)


def _unimplemented(channel, path):
    method = channel.unary_unary(
        path,
        request_serializer=testing.Empty.SerializeToString,
        response_deserializer=testing.Empty.FromString,
    )
    expect_error(lambda: method(testing.Empty()), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_method(_, connect):
    _unimplemented(connect(), "/grpc.testing.TestService/UnimplementedCall")


def unimplemented_service(_, connect):
    _unimplemented(connect(), "/grpc.testing.UnimplementedService/UnimplementedCall")


def client_compressed_unary(stub, _):
    probe = testing.SimpleRequest(expect_compressed=is_(True), payload=payload(LARGE_REQUEST))
    expect_error(lambda: stub.UnaryCall(probe), grpc.StatusCode.INVALID_ARGUMENT)
    client_compressed_unary_noprobe(stub, _)


def client_compressed_unary_noprobe(stub, _):
    for compressed in (True, False):
        algorithm = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
        request = large(expect_compressed=is_(compressed))
        response = stub.UnaryCall(request, compression=algorithm)
        expect("size", len(response.payload.body), LARGE_RESPONSE)


def client_compressed_streaming(stub, _):
    """A call of grpcio compresses all its messages or none: what is left of the case is both kinds of call."""
    request = testing.StreamingInputCallRequest(
        expect_compressed=is_(True), payload=payload(27182)
    )
    expect_error(
        lambda: stub.StreamingInputCall(iter([request])), grpc.StatusCode.INVALID_ARGUMENT
    )
    response = stub.StreamingInputCall(iter([request, request]), compression=grpc.Compression.Gzip)
    expect("sum", response.aggregated_payload_size, 2 * 27182)


def server_compressed_unary(stub, _):
    for compressed in (True, False):
        response = stub.UnaryCall(large(response_compressed=is_(compressed)))
        expect("size", len(response.payload.body), LARGE_RESPONSE)


def server_compressed_streaming(stub, _):
    parameters = [
        testing.ResponseParameters(size=31415, compressed=is_(True)),
        testing.ResponseParameters(size=92653, compressed=is_(False)),
    ]
    request = testing.StreamingOutputCallRequest(response_parameters=parameters)
    expect("sizes", sizes(stub.StreamingOutputCall(request)), [31415, 92653])


def very_large_request(stub, _):
    request = testing.SimpleRequest(response_size=LARGE_RESPONSE, payload=payload(VERY_LARGE))
    expect("size", len(stub.UnaryCall(request).payload.body), LARGE_RESPONSE)


def pick_first_unary(stub, _):
    request = testing.SimpleRequest(fill_server_id=True)
    servers = {stub.UnaryCall(request).server_id for _ in range(100)}
    expect("servers", len(servers), 1)
    expect("a server without a name", "" in servers, False)


def _soak(connect, next_stub):
    """Large unary calls, none of which may fail or take too long."""
    for iteration in range(connect.iterations):
        stub, done = next_stub()
        begin = time.monotonic()
        large_unary(stub, None)
        took = time.monotonic() - begin
        if took > connect.latency:
            raise AssertionError(f"iteration {iteration} took {took:.3f} s")
        done()


def rpc_soak(stub, connect):
    _soak(connect, lambda: (stub, lambda: None))


def channel_soak(_, connect):
    def fresh():
        channel = connect()
        return testing_grpc.TestServiceStub(channel), channel.close

    _soak(connect, fresh)


CASES = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        server_streaming,
        ping_pong,
        empty_stream,
        trunkline_half_duplex,
        cancel_after_begin,
        cancel_after_first_response,
        timeout_on_sleeping_server,
        status_code_and_message,
        special_status_message,
        custom_metadata,
        unimplemented_method,
        unimplemented_service,
        client_compressed_unary,
        client_compressed_unary_noprobe,
        client_compressed_streaming,
        server_compressed_unary,
        server_compressed_streaming,
        very_large_request,
        pick_first_unary,
        rpc_soak,
        channel_soak,
    )
}
