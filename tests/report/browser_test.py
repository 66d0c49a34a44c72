#!/usr/bin/env python3
"""Opens the example reports in headless Chromium (through chromedriver, Debian packages chromium and chromium-driver).

    browser_test.py --writer PATH/write_example_report [--screenshots FOLDER]

Checks at 380 and 1280 px, light and dark: no console error, nothing loaded, the headline visible, nothing wider than
the page, also with every <details> open. Exit code 77: no browser here (the test counts as skipped).
"""

import argparse
import base64
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SKIPPED = 77
WIDTHS = (380, 1280)

MEASURE = """
const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
const visible = e => !!e && e.getClientRects().length > 0 && getComputedStyle(e).visibility === 'visible';
const headline = document.querySelector('#headline h2');
const verdict = document.querySelector('#headline .verdict');
const escaping = [...document.querySelectorAll('body *')].filter(e => {
  if (e.closest('.scroll, .plot, nav') || e.closest('details:not([open])')) return false;
  return e.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
});
return {
  scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth,
  title: visible(document.querySelector('h1')) && box(document.querySelector('h1')),
  headline: visible(headline) && box(headline), verdict: visible(verdict) && box(verdict),
  resources: performance.getEntriesByType('resource').map(e => e.name),
  escaping: escaping.slice(0, 5).map(e => e.tagName + '.' + e.getAttribute('class') + ' ' + e.textContent.slice(0, 40)),
  scripts: document.querySelectorAll('script, iframe, object, img').length,
  injected: window.injected === true,
};
"""


class Driver:
    """The few commands of the WebDriver protocol that are needed."""

    def __init__(self, chromedriver, chromium):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.process = subprocess.Popen(
            [chromedriver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.session = None
        self.wait_until_ready()
        options = {
            "binary": chromium,
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP * ~NOTFOUND",
            ],
        }
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = f"/session/{answer['sessionId']}"

    def wait_until_ready(self):
        for _ in range(100):
            try:
                if self.call("GET", "/status")["ready"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise RuntimeError("chromedriver does not answer")

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with self.opener.open(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode(errors='replace')[:500]}") from error

    def devtools(self, command, **parameters):
        return self.call(
            "POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters}
        )

    def open(self, url, width, dark):
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = "dark" if dark else "light"
        self.devtools(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.call("POST", self.session + "/url", {"url": url})

    def run(self, script):
        return self.call("POST", self.session + "/execute/sync", {"script": script, "args": []})

    def console(self):
        return self.call("POST", self.session + "/se/log", {"type": "browser"})

    def screenshot(self, path, whole=True):
        size = self.run("return document.documentElement.scrollHeight")
        width = self.run("return document.documentElement.clientWidth")
        clip = {
            "x": 0,
            "y": 0,
            "width": width,
            "height": min(size, 16000) if whole else 800,
            "scale": 1,
        }
        shot = self.devtools(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
        )
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        try:
            if self.session:
                self.call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait(timeout=20)


def problems_of(page, width, needs_verdict):
    found = []
    if page["scroll"] > page["client"]:
        found.append(f"the page is {page['scroll']} px wide in a window of {page['client']}")
    if page["escaping"]:
        found.append(f"outside the page: {page['escaping']}")
    for part in ("title", "headline") + (("verdict",) if needs_verdict else ()):
        box = page[part]
        if not box:
            found.append(f"{part} is not visible")
        elif box[0] < 0 or box[2] > width or box[1] > 800:
            found.append(f"{part} lies outside the first screen: {box}")
    if page["resources"]:
        found.append(f"loaded from elsewhere: {page['resources']}")
    if page["scripts"]:
        found.append(
            f"{page['scripts']} elements of scripts or images: text of a model was not escaped"
        )
    return found


def check(driver, folder, screenshots):
    failures = []
    for name in ("complete", "half_way", "empty"):
        for width in WIDTHS:
            for dark in (False, True):
                driver.open((folder / f"{name}.html").as_uri(), width, dark)
                where = f"{name}, {width} px, {'dark' if dark else 'light'}"
                found = problems_of(driver.run(MEASURE), width, needs_verdict=name == "complete")
                if screenshots:
                    driver.screenshot(
                        screenshots / f"{name}-{width}-{'dark' if dark else 'light'}.png"
                    )
                driver.run("document.querySelectorAll('details').forEach(d => d.open = true)")
                found += [
                    f"all opened: {p}"
                    for p in problems_of(driver.run(MEASURE), width, needs_verdict=False)
                ]
                found += [f"console: {entry['message']}" for entry in driver.console()]
                failures += [f"{where}: {problem}" for problem in found]
                if screenshots and name == "complete" and not dark:
                    driver.screenshot(screenshots / f"{name}-{width}-opened.png")
    return failures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--writer", required=True, help="the program write_example_report")
    parser.add_argument("--screenshots", type=pathlib.Path, help="folder for pictures of the pages")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        print("skipped: this needs the Debian packages chromium and chromium-driver")
        return SKIPPED
    if arguments.screenshots:
        arguments.screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tapir-browser-") as folder:
        subprocess.run([arguments.writer, folder], check=True)
        driver = Driver(chromedriver, chromium)
        try:
            failures = check(driver, pathlib.Path(folder), arguments.screenshots)
        finally:
            driver.close()
    for failure in failures:
        print(failure)
    print("failed" if failures else "passed: 3 reports, 2 widths, light and dark")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
