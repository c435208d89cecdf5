"""The pictures of the documentation, made by its own code: `make screenshots`.

    python benchmarks/screenshots.py [playground] [tutorials]

playground: `deliberate serve` is started, opened in a headless Chromium, and photographed into
docs/playground.png once the board stands and its search has thought for a while. tutorials: the
code of docs/tutorials runs from top to bottom, and the figures that it draws are kept beside it.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PICTURE = DOCS / "playground.png"
QUERY = "task=tic_tac_toe&moves=a3+a2+b3&goal=misere:1&effort=1024"
SIZE = (1200, 900)
MOST_BYTES = 150_000
PATIENCE, SETTLED = 300.0, 2.0
"""Seconds until all answers stand, at most, and that what moves then has to come to rest."""
READY = """
const note = document.getElementById("note").textContent;
const drawn = document.querySelectorAll("main svg").length > 0;
return drawn && note === "" && !document.querySelector("main").innerText.includes("…");
"""
"""Whether the board is drawn, everything is compiled, and no answer is awaited."""
CHROMIUM, DRIVER = "chromium", "chromedriver"
COLOURS = (256, 128, 64, 32)


@contextlib.contextmanager
def playground() -> Iterator[str]:
    """The address of a playground that serves until one is done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "deliberation.cli", "serve", "--no-open", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urlopen(address, timeout=5):
                break
            if server.poll() is not None:
                raise SystemExit("deliberate serve ended before it answered")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def browser() -> Any:
    """A headless Chromium of the size of the picture."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    program, driver = shutil.which(CHROMIUM), shutil.which(DRIVER)
    if program is None or driver is None:
        raise SystemExit(f"apt install chromium chromium-driver: no {CHROMIUM} or {DRIVER}")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "no-first-run", "hide-scrollbars",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={tempfile.mkdtemp()}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    opened = webdriver.Chrome(options=options, service=Service(driver))
    metrics = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    return opened


def photograph() -> None:
    """The board of a game under way, as the playground shows it."""
    from selenium.webdriver.support.ui import WebDriverWait

    seen = browser()
    try:
        with playground() as address:
            seen.get(f"{address}/#/board?{QUERY}")
            WebDriverWait(seen, PATIENCE).until(lambda page: page.execute_script(READY))
            time.sleep(SETTLED)
            picture = seen.get_screenshot_as_png()
    finally:
        seen.quit()
    PICTURE.write_bytes(small(picture))
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


def small(picture: bytes) -> bytes:
    """The picture in as many colours as fit into so many bytes."""
    from PIL import Image

    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in COLOURS:
        out = io.BytesIO()
        whole.quantize(colours, dither=Image.Dither.NONE).save(out, "png", optimize=True)
        if len(out.getvalue()) <= MOST_BYTES:
            return out.getvalue()
    raise SystemExit(f"The picture takes more than {MOST_BYTES} bytes in {COLOURS[-1]} colours.")


def draw_tutorials() -> None:
    """Run each tutorial in a folder of its own and keep the figures that its page shows."""
    for page in sorted((DOCS / "tutorials").glob("*.md")):
        text = page.read_text("utf-8")
        code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M))
        with tempfile.TemporaryDirectory() as folder:
            seen = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            subprocess.run([sys.executable, "-c", code], cwd=folder, env=seen, check=True)
            for name in re.findall(r"!\[[^]]*\]\((\w+\.svg)\)", text):
                shutil.copy(Path(folder) / name, page.parent / name)
                print(page.parent / name)


PICTURES = {"playground": photograph, "tutorials": draw_tutorials}


def main() -> None:
    """Make the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=(*PICTURES, []), default=[])
    for name in parser.parse_args().what or PICTURES:
        PICTURES[name]()


if __name__ == "__main__":
    main()
