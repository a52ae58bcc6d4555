# SPDX-License-Identifier: Apache-2.0
"""A client of TLS 1.3 that sends early data whether its ticket allows that or not. Python's ssl does not know early
data, and `openssl s_client` keeps to what the ticket says: so libssl is called."""
import ctypes
import socket

NOT_SENT, REJECTED, ACCEPTED = range(3)     # SSL_get_early_data_status(3)
SET_HOST_NAME, VERSION_1_3, SET_LEAST_VERSION = 55, 0x0304, 123


def libssl():
    library = ctypes.CDLL("libssl.so.3")
    for name in "TLS_client_method", "SSL_CTX_new", "SSL_new", "SSL_get1_session":
        getattr(library, name).restype = ctypes.c_void_p
    return library


class Client:
    """One context; each connection resumes the session of the one before."""

    def __init__(self, address, name):
        self.lib = libssl()
        self.address, self.name = address, name
        self.context = self.pointer(self.lib.SSL_CTX_new(self.pointer(self.lib.TLS_client_method())))
        self.lib.SSL_CTX_ctrl(self.context, SET_LEAST_VERSION, ctypes.c_long(VERSION_1_3), None)
        self.session = None

    @staticmethod
    def pointer(value):
        assert value, "libssl refuses"
        return ctypes.c_void_p(value)

    def exchange(self, request, early=b""):
        """Sends the early bytes where there are any, then the request. (answer, resumed, status of the early data)"""
        with socket.create_connection(self.address, 5) as sock:
            sock.settimeout(None)   # libssl reads it blocking
            ssl = self.pointer(self.lib.SSL_new(self.context))
            self.lib.SSL_set_fd(ssl, sock.fileno())
            self.lib.SSL_ctrl(ssl, SET_HOST_NAME, ctypes.c_long(0), self.name.encode())
            if early:
                self.send_early(ssl, early)
            assert self.lib.SSL_connect(ssl) == 1
            assert self.lib.SSL_write(ssl, request, len(request)) == len(request)
            answer = self.read(ssl)
            facts = self.lib.SSL_session_reused(ssl) == 1, self.lib.SSL_get_early_data_status(ssl)
            self.session = self.pointer(self.lib.SSL_get1_session(ssl))
            self.lib.SSL_shutdown(ssl)      # who goes without a word does not come again
            self.lib.SSL_free(ssl)
        return answer, *facts

    def send_early(self, ssl, early):
        written = ctypes.c_size_t()
        assert self.lib.SSL_SESSION_set_max_early_data(self.session, 16384) == 1
        assert self.lib.SSL_set_session(ssl, self.session) == 1
        assert self.lib.SSL_write_early_data(ssl, early, ctypes.c_size_t(len(early)),
                                             ctypes.byref(written)) == 1

    def read(self, ssl):
        """Until the end."""
        answer, piece = b"", ctypes.create_string_buffer(65536)
        while (got := self.lib.SSL_read(ssl, piece, len(piece))) > 0:
            answer += piece.raw[:got]
        return answer
