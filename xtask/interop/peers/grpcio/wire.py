"""A TCP proxy on the loopback interface that keeps what it passes on, to look for PINGs in it."""

import socket
import threading

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PING, _ACK = 6, 1


class Tap:
    """Listens on `port` and passes one connection on to another port of this machine, until it is left."""

    def __init__(self, target):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets = []
        self._heard = {"client": bytearray(), "server": bytearray()}

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for each in [self._listener, *self._sockets]:
            each.close()

    def pings(self, side):
        """The payloads of the PINGs that a side sent."""
        return self._frames(side, flags=0)

    def acks(self, side):
        """The payloads of the PINGs that a side acknowledged."""
        return self._frames(side, flags=_ACK)

    def _accept(self):
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._target))
        self._sockets += [near, far]
        for source, sink, side in ((near, far, "client"), (far, near, "server")):
            threading.Thread(target=self._copy, args=(source, sink, side), daemon=True).start()

    def _copy(self, source, sink, side):
        try:
            while data := source.recv(65536):
                self._heard[side] += data
                sink.sendall(data)
        except OSError:
            pass

    def _frames(self, side, flags):
        data = bytes(self._heard[side])
        if side == "client":
            data = data.removeprefix(_PREFACE)
        found = set()
        while len(data) >= 9:
            length = int.from_bytes(data[:3], "big")
            if data[3] == _PING and data[4] == flags:
                found.add(data[9 : 9 + length])
            data = data[9 + length :]
        return found
