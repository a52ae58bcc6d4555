# SPDX-License-Identifier: Apache-2.0
"""Clients that ask without pause while a test changes something."""
import threading

from .client import Connection
from .wait import eventually


class Load:
    """Clients on kept connections, that count what they get."""

    def __init__(self, ingot, host, clients=4):
        self.answers = []
        self.failures = []
        self.connections = []
        self.running = True
        self.threads = [threading.Thread(target=self._run, args=(ingot, host), daemon=True)
                        for _ in range(clients)]

    def _run(self, ingot, host):
        try:
            while self.running:
                with Connection(ingot.address) as client:
                    self.connections.append(client.local_port)
                    self._ask_until_told_to_close(client, host)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong fails the test
            self.failures.append(error)

    def _ask_until_told_to_close(self, client, host):
        """A connection serves `keep-alive-requests`; its last answer says so."""
        while self.running:
            answer = client.request("/", host)
            self.answers.append(answer.pod)
            if answer.status != 200:
                self.failures.append(answer)
            if answer.header("Connection") == "close":
                return

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually(lambda: len(self.answers) > 20)
        return self

    def __exit__(self, *_):
        self.running = False
        for thread in self.threads:
            thread.join()
