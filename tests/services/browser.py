"""A browser for tests: headless, with a profile of its own, told what it would fetch."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services.processes import MissingServiceError

_FLAGS = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,900",
)
_FLAT = ("--disable-gpu",)
_DRAWS = (
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass
class Browser:
    """A running browser."""

    driver: Any

    def open(self, path: Path) -> None:
        """Open a file from disk."""
        self.driver.get(path.as_uri())

    def run(self, script: str, *values: object) -> Any:
        """Run a script in the page and return what it returns."""
        return self.driver.execute_script(script, *values)

    def find(self, selector: str) -> Any:
        """Return the first element that a CSS selector names."""
        return self.driver.find_element("css selector", selector)

    def command(self, name: str, **options: object) -> Any:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, options)

    def errors(self) -> list[str]:
        """Return what the console was told since it was last asked, but for plain notes."""
        lines = self.driver.get_log("browser")
        return [line["message"] for line in lines if line["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """Return every address that was asked for since this was last asked.

        What an address itself holds (``data:``) is asked for nowhere.
        """
        lines = self.driver.get_log("performance")
        told = (json.loads(line["message"])["message"] for line in lines)
        sent = [one["params"] for one in told if one["method"] == "Network.requestWillBeSent"]
        urls = [one["request"]["url"] for one in sent]
        return [url for url in urls if not url.startswith("data:")]


@contextlib.contextmanager
def run_browser(*, draws: bool = False) -> Iterator[Browser]:
    """Start Chromium, and end it with the block.

    With `draws`, pages can use WebGL, which the processor computes; and no name of a host leads
    out of this machine.
    """
    try:
        from selenium import webdriver
    except ImportError as error:
        raise MissingServiceError("selenium is not installed") from error
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        raise MissingServiceError("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, *(_DRAWS if draws else _FLAT), f"--user-data-dir={profile}"):
            options.add_argument(flag)
        service = webdriver.ChromeService(executable_path=str(programs[1]))
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield Browser(driver)
        finally:
            driver.quit()
