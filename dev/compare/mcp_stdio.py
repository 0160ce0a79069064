"""A minimal MCP client on stdin and stdout, so that both servers are met by the same, cheap client."""

import json
import os
import subprocess
import threading
import time


class Server:
    """A server as a child process."""

    def __init__(self, command, env):
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command, env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.waiting, self.answers, self.next, self.ended = threading.Condition(), {}, 0, False
        threading.Thread(target=self._read, daemon=True).start()
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "compare", "version": "1"}}
        self.request("initialize", client)
        self.initialized_in = time.perf_counter() - self.begun
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.waiting:
                self.answers[message.get("id")] = message
                self.waiting.notify_all()
        with self.waiting:
            self.ended = True
            self.waiting.notify_all()

    def begin(self, method, params):
        """Sends a request; its number is for `end`."""
        with self.waiting:
            self.next += 1
            number = self.next
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def end(self, number, timeout=300):
        with self.waiting:
            came = self.waiting.wait_for(lambda: number in self.answers or self.ended, timeout)
            if number in self.answers:
                return self.answers.pop(number)
        raise RuntimeError("the server ended" if came else f"no answer within {timeout} s")

    def request(self, method, params):
        answer = self.end(self.begin(method, params))
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def call(self, tool, arguments):
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
