"""A browser for tests: Chromium by the DevTools protocol, over pipes."""

import fcntl
import json
import os
import select
import subprocess
import sys
import time

PATIENCE = 60.0
"""Seconds to wait for an answer of the browser at most."""

HAND_OVER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execvp(sys.argv[3], sys.argv[3:])"
)
"""Chromium reads commands at 3 and answers at 4."""


class Browser:
    """A headless Chromium with one tab, spoken to over pipes by the DevTools protocol."""

    def __init__(self, program, profile):
        ends = [os.pipe(), os.pipe()]
        numbers = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for pair in ends for end in pair]
        for pair in ends:
            for end in pair:
                os.close(end)
        commands, self._out, self._in, answers = numbers
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        flags += ["--disable-dev-shm-usage", f"--user-data-dir={profile}"]
        flags += ["--remote-debugging-pipe", "about:blank"]

        self._process = subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(commands), str(answers), program, *flags],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._buffer, self._id, self._session = b"", 0, None
        self.complaints, self.requests = [], []
        targets = self.call("Target.getTargets")["targetInfos"]
        tab = next(target for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=tab["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """The result of a command."""
        self._id += 1
        message = {"id": self._id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._id:
            pass
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open(self, path, *, width=1280, height=900, dark=False):
        """Loads a file, at that width."""
        self.complaints, self.requests = [], []
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Page.navigate", url=path.as_uri())
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression):
        """Waits until it is true."""
        last = time.monotonic() + PATIENCE
        while not self.run(expression):
            assert time.monotonic() < last, f"never true: {expression}"
            time.sleep(0.02)

    def press(self, key):
        """A key, as in "Tab" or "Enter"."""
        text = "\r" if key == "Enter" else ""
        code = {"Enter": 13, "Tab": 9, " ": 32}[key]
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", **event, **({"text": text} if text else {}))

    def close(self):
        os.close(self._out)  # it ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def _receive(self):
        last = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, last - time.monotonic()))
            chunk = os.read(self._in, 1 << 20) if ready else b""
            assert chunk, "the browser does not answer"
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        event = message.get("method", "")
        if event in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.complaints.append(message["params"])
        if event == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message
