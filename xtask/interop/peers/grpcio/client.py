"""Runs one case on grpcio; exit code 0 means that it passed.

`client.py --server_host=H --server_port=P --test_case=NAME [--use_tls=true --ca_file=FILE --server_host_override=NAME]`,
for the soaks also `--soak_iterations=N` and `--soak_per_iteration_max_acceptable_latency_ms=N`.
"""

import os
import sys
import traceback

import grpc

import cases
import extra_cases
from support import SIZES, extra_grpc, flags, is_true, read, testing_grpc


class Connect:
    """Makes channels to the server under test."""

    def __init__(self, asked):
        self.port = int(asked["server_port"])
        self.is_private = is_true(asked, "use_tls")
        self.iterations = int(asked.get("soak_iterations", 100))
        self.latency = int(asked.get("soak_per_iteration_max_acceptable_latency_ms", 1000)) / 1e3
        self._asked = asked

    def __call__(self, port=None, options=()):
        target = f"{self._asked.get('server_host', '127.0.0.1')}:{port or self.port}"
        # A channel is a connection of its own, also where another one has the same target.
        options = [*SIZES, ("grpc.use_local_subchannel_pool", 1), *options]
        if not self.is_private:
            return grpc.insecure_channel(target, options=options)
        options.append(("grpc.ssl_target_name_override", self._asked["server_host_override"]))
        credentials = grpc.ssl_channel_credentials(read(self._asked["ca_file"]))
        return grpc.secure_channel(target, credentials, options=options)


def main():
    asked = flags(sys.argv[1:])
    name = asked["test_case"]
    connect = Connect(asked)
    channel = connect()
    if name in cases.CASES:
        cases.CASES[name](testing_grpc.TestServiceStub(channel), connect)
    elif name in extra_cases.CASES:
        extra_cases.CASES[name](extra_grpc.ExtraServiceStub(channel), connect)
    else:
        raise SystemExit(f"no case {name!r}")
    channel.close()


def leave(code):
    """Ends the process at once. The interpreter's own end calls `__del__` of grpcio's calls, which waits for a lock
    that a thread may have held when the interpreter stopped it: now and then a process would never end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        leave(1)
    leave(0)
