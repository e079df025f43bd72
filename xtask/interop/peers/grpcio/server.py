"""`server.py --port=P [--use_tls=true --tls_cert_file=FILE --tls_key_file=FILE]`: the interop service and our extra one on grpcio."""

import os
import sys
import time
from concurrent import futures

import grpc
from grpc_status import rpc_status
from google.protobuf import any_pb2
from google.rpc import status_pb2

from support import (
    ECHO_INITIAL,
    ECHO_TRAILING,
    EXTRA,
    SIZES,
    extra,
    extra_grpc,
    flags,
    is_true,
    payload,
    read,
    testing,
    testing_grpc,
)

# One for each RPC that runs: the cases have few at once.
THREADS = 32

# Clients of ours ask for a sign of life every 10 s at most.
KEEPALIVE = [("grpc.http2.min_ping_interval_without_data_ms", 5_000)]

CODES = {code.value[0]: code for code in grpc.StatusCode}


def echo(context):
    """Headers and trailers as the descriptions of the cases ask for."""
    for name, value in context.invocation_metadata():
        if name == ECHO_INITIAL:
            context.send_initial_metadata([(name, value)])
        elif name == ECHO_TRAILING:
            context.set_trailing_metadata([(name, value)])


def end_as_asked(request, context):
    """Ends the RPC if the client asked for an error."""
    status = request.response_status
    if status.code:
        context.abort(CODES[status.code], status.message)


def respond(parameters, context):
    for wanted in parameters:
        if wanted.interval_us:
            time.sleep(wanted.interval_us / 1e6)
        if wanted.HasField("compressed") and not wanted.compressed.value:
            context.disable_next_message_compression()
        yield testing.StreamingOutputCallResponse(payload=payload(wanted.size))


class TestService(testing_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        return testing.Empty()

    def UnaryCall(self, request, context):
        echo(context)
        end_as_asked(request, context)
        if request.HasField("response_compressed") and not request.response_compressed.value:
            context.disable_next_message_compression()
        response = testing.SimpleResponse(payload=payload(request.response_size))
        if request.fill_server_id:
            response.server_id = f"grpcio-{os.getpid()}"
        return response

    def StreamingOutputCall(self, request, context):
        yield from respond(request.response_parameters, context)

    def StreamingInputCall(self, requests, context):
        total = sum(len(request.payload.body) for request in requests)
        return testing.StreamingInputCallResponse(aggregated_payload_size=total)

    def FullDuplexCall(self, requests, context):
        echo(context)
        for request in requests:
            end_as_asked(request, context)
            yield from respond(request.response_parameters, context)

    def HalfDuplexCall(self, requests, context):
        for request in list(requests):
            yield from respond(request.response_parameters, context)


class ExtraService(extra_grpc.ExtraServiceServicer):
    def Fail(self, request, context):
        if not request.detail_bytes:
            context.abort(CODES[request.code], request.message)
        detail = any_pb2.Any()
        detail.Pack(extra.Chunk(body=bytes(request.detail_bytes)))
        status = status_pb2.Status(code=request.code, message=request.message, details=[detail])
        context.abort_with_status(rpc_status.to_status(status))

    def Echo(self, request, context):
        back = [(name, value) for name, value in context.invocation_metadata() if name.startswith(EXTRA)]
        context.send_initial_metadata(back)
        context.set_trailing_metadata(back)
        return extra.Nothing()

    def Deadline(self, request, context):
        left = context.time_remaining()
        time.sleep(request.wait_ms / 1e3)
        # Python shows the lack of a deadline as one that is far away.
        far = left is None or left > 10 * 365 * 24 * 3600
        return extra.DeadlineReply(left_ms=-1 if far else int(left * 1e3))

    def AnswerEarly(self, requests, context):
        code = next(requests).code
        if code:
            context.abort(CODES[code], "that is enough")
        return extra.Nothing()

    def Converse(self, requests, context):
        yield from requests


def main():
    asked = flags(sys.argv[1:])
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=THREADS),
        options=SIZES + KEEPALIVE,
        compression=grpc.Compression.Gzip,
    )
    testing_grpc.add_TestServiceServicer_to_server(TestService(), server)
    extra_grpc.add_ExtraServiceServicer_to_server(ExtraService(), server)
    address = f"127.0.0.1:{asked['port']}"
    if is_true(asked, "use_tls"):
        pair = (read(asked["tls_key_file"]), read(asked["tls_cert_file"]))
        server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
