"""Takes the pictures in docs/how-to: `python -m tests.metrics.pictures [URL]`, of the page of a service that runs."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from tests.metrics import browser

FOLDER: Final = Path(__file__).parents[2] / "docs" / "how-to" / "pictures"
PICTURES: Final = {
    "status-page-zh.png": {"lang": "zh-CN", "width": 1160, "height": 960, "scheme": "light"},
    "status-page-en-dark.png": {"lang": "en", "width": 400, "height": 900, "scheme": "dark"},
}


async def take(url: str, folder: Path = FOLDER) -> None:
    """Take each picture into the folder, which is there."""
    async with browser.running() as chromium:
        for name, how in PICTURES.items():
            size = {"width": how["width"], "height": how["height"]}
            async with browser.reading(
                chromium, f"{url}/?lang={how['lang']}", viewport=size, color_scheme=how["scheme"]
            ) as page:
                await page.screenshot(path=folder / name)


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8004"))
