"""What the programs beside this file share: messages and stubs made from our .proto files, and small helpers."""

import os
import sys

import grpc

# Nothing is generated into the tree: the stubs are made when a program starts.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(_HERE, "..", "..", "proto"))

testing, testing_grpc = grpc.protos_and_services("testing.proto")
extra, extra_grpc = grpc.protos_and_services("extra.proto")

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"

# `ExtraService.Echo` sends back what is named so.
EXTRA = "x-extra-"

# Options of both sides: the service is asked for messages of any size.
SIZES = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


def payload(size):
    """This many zeros."""
    return testing.Payload(body=bytes(size))


def flags(arguments):
    """`--name=value` words as a dict."""
    parsed = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not name.startswith("--") or not equals:
            raise SystemExit(f"expected --name=value, found {argument!r}")
        parsed[name[2:]] = value
    return parsed


def is_true(parsed, name):
    return parsed.get(name) == "true"


def read(path):
    with open(path, "rb") as file:
        return file.read()
