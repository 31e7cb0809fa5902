"""The programs that are attacked, and what is looked at while they are: life, memory, descriptors, log, answers."""

import collections
import os
import socket
import subprocess
import time


class Finding(Exception):
    """Something that must not be."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Agent:
    """A wstunnel with a configuration."""

    # Beyond what it had after the warm-up: what the kernel and the allocator keep is not told apart from a leak.
    most_growth = 96 << 20
    most_descriptors = 300
    # When all is over: connections that the agent itself keeps for a while.
    most_left = 20

    def __init__(self, binary, folder, name, configuration):
        self.name = name
        self.log = os.path.join(folder, name + ".log")
        path = os.path.join(folder, name + ".yaml")
        with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write("log: { file: %s.log, format: logfmt }\n%s" % (name, configuration))
        self.output = open(os.path.join(folder, name + ".out"), "wb")
        environment = dict(os.environ, RUNTIME_DIRECTORY=folder)
        self.process = subprocess.Popen(
            [binary, "--config", path], stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            env=environment)
        self.last_lines = collections.deque(maxlen=200)
        self.baseline = None
        self.usage = (0, 0)

    def check_alive(self):
        status = self.process.poll()
        if status is not None:
            raise Finding("the %s ended with status %d" % (self.name, status))

    def check_log(self):
        """Reads what is new in the log and throws it away."""
        try:
            with open(self.log, "r+b") as file:
                text = file.read()
                # The agent appends: its next line stands at the start.
                file.truncate(0)
        except FileNotFoundError:
            return
        for line in text.decode("utf-8", "replace").splitlines():
            self.last_lines.append(line)
            if " level=error " in line:
                raise Finding("the %s says: %s" % (self.name, line))

    def measure(self):
        with open("/proc/%d/status" % self.process.pid) as file:
            kibibytes = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        self.usage = (kibibytes << 10, len(os.listdir("/proc/%d/fd" % self.process.pid)))
        return self.usage

    def check_growth(self):
        memory, descriptors = self.measure()
        if self.baseline is None:
            return
        if memory > self.baseline[0] + self.most_growth:
            raise Finding("the %s has %d MiB, and had %d" % (self.name, memory >> 20, self.baseline[0] >> 20))
        if descriptors > self.baseline[1] + self.most_descriptors:
            raise Finding("the %s has %d descriptors open, and had %d" % (self.name, descriptors, self.baseline[1]))

    def check_settled(self, before, patience=60):
        """Waits until the descriptors of those who came and went are closed."""
        deadline = time.monotonic() + patience
        while self.measure()[1] > before + self.most_left:
            if time.monotonic() > deadline:
                raise Finding("the %s still has %d descriptors open, and had %d at first" % (
                    self.name, self.usage[1], before))
            time.sleep(0.2)

    def stop(self):
        """Ends it as a service manager would: that must work too."""
        self.check_alive()
        self.process.terminate()
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise Finding("the %s does not end after SIGTERM" % self.name)
        if status != 0:
            raise Finding("the %s ended with status %d after SIGTERM" % (self.name, status))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


class World:
    """A server and a client with a good tunnel, by which is seen whether they still work.

    In the text of further tunnels PORT stands for the server's port.
    """

    good_token = "good-token-of-the-fuzzer"

    def __init__(self, binary, folder, server_options="", tunnels=""):
        self.port = free_port()
        self.server = Agent(
            binary, folder, "server",
            "shutdown-grace: 2s\nservers:\n  - { name: public, host: 127.0.0.1, port: %d%s }\n" % (
                self.port, server_options))
        self.agents = [self.server]
        self.good_connection = None
        try:
            self.wait_for_listener()
            self.client = Agent(
                binary, folder, "client",
                "shutdown-grace: 2s\ntunnels:\n"
                "  - { name: good, tunnel: 'ws://127.0.0.1:%d', token: %s, server: 'builtin:echo' }\n%s" % (
                    self.port, self.good_token, tunnels.replace("PORT", str(self.port))))
            self.agents.append(self.client)
            self.check_good(patience=30, is_first=True)
            self.descriptors = self.server.measure()[1]
        except BaseException:
            self.kill()
            raise

    def wait_for_listener(self):
        deadline = time.monotonic() + 30
        while True:
            self.server.check_alive()
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise Finding("the server does not listen")
                time.sleep(0.02)

    def check_good(self, patience=20, is_first=False):
        """A request through the good tunnel; a server that has just started may not know it yet."""
        deadline = time.monotonic() + patience
        while True:
            for agent in self.agents:
                agent.check_alive()
            try:
                status = self.ask(deadline - time.monotonic())
            except OSError as error:
                raise Finding("a good request: %s" % error)
            if status == b"200":
                return
            if not is_first or time.monotonic() > deadline:
                raise Finding("a good request is answered with %s" % status.decode())
            time.sleep(0.05)

    def ask(self, patience):
        with socket.create_connection(("127.0.0.1", self.port), patience) as connection:
            connection.settimeout(max(patience, 0.1))
            connection.sendall(
                b"GET /good HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Token: %s\r\n\r\n" % self.good_token.encode())
            answer = b""
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
        words = answer.split(b" ", 2)
        return words[1] if len(words) > 1 else b"nothing"

    def check_alive(self):
        for agent in self.agents:
            agent.check_alive()

    def check(self):
        self.check_good()
        for agent in self.agents:
            agent.check_log()
            agent.check_growth()

    def check_settled(self):
        # Of the server alone: the client's tunnels go on trying to connect.
        self.server.check_settled(self.descriptors)

    def warmed_up(self):
        for agent in self.agents:
            agent.baseline = agent.measure()

    def stop(self):
        for agent in reversed(self.agents):
            agent.stop()
            agent.check_log()

    def kill(self):
        for agent in self.agents:
            agent.kill()
