"""Chromium, headless and driven over its debugging pipe: the pages that it loads, what came over the network, pictures.

<https://chromedevtools.github.io/devtools-protocol/>: one JSON message after the other, each ended by a zero byte.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import struct
import subprocess
import time
import zlib

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ANSWER_SECONDS = 60
STOP_SECONDS = 20
VIEWPORT = (1100, 900)


class Browser:
    """One browser with one page."""

    def __init__(self, profile, log):
        assert BROWSER, "chromium is missing: .ci/prepare-tests installs it"
        argv = [BROWSER, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", f"--window-size={VIEWPORT[0]},{VIEWPORT[1]}"]
        argv += ["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--hide-scrollbars"]
        argv += ["--disable-background-networking", "--disable-component-update", "--disable-extensions"]
        argv += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost"]
        if os.geteuid() == 0:
            argv.append("--no-sandbox")  # root has no sandbox to be put into
        to_browser, self.sending = os.pipe()
        self.receiving, from_browser = os.pipe()
        # The protocol is spoken over the descriptors 3 and 4, which the pipe's own must not be before.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_browser, from_browser)]
        pipes = f'exec "$@" 3<&{ends[0]} 4>&{ends[1]} {ends[0]}<&- {ends[1]}>&-'
        with open(log, "ab") as output:
            self.process = subprocess.Popen(["bash", "-c", pipes, "browser", *argv], pass_fds=ends, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self.number, self.session, self.buffer, self.events = 0, None, b"", []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
        os.close(self.sending)
        os.close(self.receiving)

    def ask(self, method, **params):
        """Sends a command and gives its result; what happens meanwhile is kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.sending, json.dumps(message).encode() + b"\0")
        while True:
            received = self._receive()
            if received.get("id") == self.number:
                assert "error" not in received, f"{method}: {received['error']}"
                return received["result"]
            self.events.append(received)

    def wait_for(self, method, wanted=lambda params: True):
        """Gives the first event of this kind, of those that were received already or that come."""
        at = 0
        while True:
            for event in self.events[at:]:
                if event.get("method") == method and wanted(event["params"]):
                    return event["params"]
            at = len(self.events)
            self.events.append(self._receive())

    def _receive(self):
        deadline = time.monotonic() + ANSWER_SECONDS
        while b"\0" not in self.buffer:
            readable, _, _ = select.select([self.receiving], [], [], max(0, deadline - time.monotonic()))
            assert readable, f"the browser said nothing for {ANSWER_SECONDS} s"
            read = os.read(self.receiving, 1 << 20)
            assert read, "the browser is gone"
            self.buffer += read
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def load(self, url):
        """Opens a page, to the end of its loading; gives the answer that it came with."""
        return self._loading(lambda: self.ask("Page.navigate", url=url))

    def click(self, selector):
        """Follows a link as a reader does; gives the answer that the page came with."""
        return self._loading(lambda: self.evaluate(f"document.querySelector({json.dumps(selector)}).click()"))

    def _loading(self, begin):
        self.events.clear()
        begin()
        self.wait_for("Page.loadEventFired")
        return self.responses(kind="Document")[-1]

    def responses(self, kind=None):
        """The answers of the last page's requests, in their order; `cached` says that nothing was asked."""
        happened = lambda method: [event["params"] for event in self.events if event.get("method") == method]
        kept = {params["requestId"] for params in happened("Network.requestServedFromCache")}
        received = [params for params in happened("Network.responseReceived") if kind in (None, params["type"])]
        return [{**params["response"], "cached": params["requestId"] in kept or params["response"]["fromDiskCache"]} for params in received]

    def redirects(self):
        """The answers of the last page's requests that led elsewhere."""
        sent = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [params["redirectResponse"] for params in sent if "redirectResponse" in params]

    def complaints(self):
        """What the browser has to say against the last page: refused loads, exceptions."""
        wanted = ("Runtime.exceptionThrown", "Network.loadingFailed")
        found = [event["params"] for event in self.events if event.get("method") in wanted]
        # What a page itself gives up, such as the rest of an answer whose headers were all it wanted, is no complaint.
        return [params for params in found if not params.get("canceled")]

    def evaluate(self, expression):
        """Gives what a script comes to in the page, awaited."""
        result = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def prefer(self, scheme):
        """Lets the reader prefer `light` or `dark` pages."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def resize(self, width):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=VIEWPORT[1], deviceScaleFactor=1, mobile=False)

    def screenshot(self, width):
        """A picture of the top of the page, this wide and as high as a window, as PNG, at a quarter of its size."""
        clip = {"x": 0, "y": 0, "width": width, "height": VIEWPORT[1], "scale": 0.25}
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png", clip=clip)["data"])


def pixels(png):
    """The pixels of a PNG picture of 8-bit RGB or RGBA, row by row, without their transparency.

    <https://www.w3.org/TR/png-3/>; enough of it for what Chromium makes.
    """
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, header, data = 8, None, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    width, height, depth, colour, _, _, interlaced = header
    assert (depth, interlaced) == (8, 0) and colour in (2, 6), header
    size = {2: 3, 6: 4}[colour]
    return [[bytes(row[x : x + 3]) for x in range(0, width * size, size)] for row in _unfiltered(zlib.decompress(data), width * size, height, size)]


def _unfiltered(data, stride, height, size):
    previous = bytearray(stride)
    for number in range(height):
        start = number * (stride + 1)
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + stride])
        for x in range(stride if kind else 0):
            left, up = row[x - size] if x >= size else 0, previous[x]
            corner = previous[x - size] if x >= size else 0
            row[x] = (row[x] + (left, up, (left + up) // 2, _paeth(left, up, corner))[kind - 1]) & 0xFF
        yield row
        previous = row


def _paeth(left, up, corner):
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
