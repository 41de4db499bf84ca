"""Collects drawings of figures to learn repair from, as PNG files with transparency:

    apt-get download openclipart-svg && dpkg -x openclipart-svg_*.deb clipart
    pip install resvg_py pillow
    python models/mini/training/drawings.py clipart/usr/share/openclipart/svg drawings
    dreamtuner puppet dataset --drawings drawings --drafts --identities 1000 --variants 4 --size 256 -o drawings-data

openclipart (Debian openclipart-svg 0.18) is in the public domain. Figures that are measured with, and whole series by the same hands, are
left out: `tests/drawings` are never trained on.
"""

import argparse
import io
import re
from pathlib import Path

import resvg_py
from PIL import Image

HELD_OUT = Path(__file__).resolve().parents[3] / "tests/drawings"
# Series of which some are held out, or looked at when drafts are judged.
SERIES = (
    "angel_icon", "bach", "backpacker", "ballerina", "breakdance", "bride", "bussiness_woman", "chibi_character", "golf_drive", "groom",
    "hikinh", "io_bambina", "kid_0", "man0", "man_0", "police_man", "ragazz", "roller_blader", "silhouette", "stylized_yoga", "trekking",
    "troll", "water_fight", "woman_0", "woman_chemist", "woman_doctor", "woman_fashion", "woman_nurse", "woman_police", "xbill",
)
FOLDERS = ("education", "fantasy", "office", "people", "recreation", "science", "special", "unsorted")
MARGIN, LEAST_HEIGHT, HEIGHT, MOST_HEIGHT = 20, 150, 900, 1600
UPRIGHT = 1.15  # heights in widths from which on somebody may stand
FREE = 0.05  # share of a picture that is transparent around a figure


def plain(name: str) -> str:
    """A name by which files are compared."""
    return re.sub(r"\W", "", name.lower())


def drawn(path: Path) -> Image.Image | None:
    """The drawing without its empty borders; None where it can be no standing figure, or cannot be read."""
    text = re.sub(r"<!DOCTYPE[^\[>]*>", "", path.read_text(errors="replace"))
    try:
        png = resvg_py.svg_to_bytes(svg_string=text, width=600, dpi=96, skip_system_fonts=True)
    except Exception as error:
        print(f"{path.name}: {error}")
        return None
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    picture = picture.crop(picture.getbbox() or (0, 0, 1, 1))
    free = picture.getchannel("A").histogram()[0]
    if picture.height < UPRIGHT * picture.width or free < FREE * picture.width * picture.height:
        return None
    if not LEAST_HEIGHT <= picture.height <= MOST_HEIGHT:
        width = max(1, round(picture.width * HEIGHT / picture.height))
        picture = picture.resize((width, HEIGHT), Image.Resampling.LANCZOS)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clipart", type=Path, help="the package's folder of SVG files")
    parser.add_argument("output", type=Path, help="folder for PNG files")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    held_out = {plain(path.stem) for path in HELD_OUT.glob("*.png")}
    count = 0
    for path in sorted(options.clipart.rglob("*.svg")):
        is_wanted = not path.is_symlink() and set(FOLDERS) & set(path.parts) and "bodypart" not in path.parts
        if not is_wanted or plain(path.stem) in held_out or path.stem.lower().startswith(SERIES):
            continue
        picture = drawn(path)
        if picture is not None:
            canvas = Image.new("RGBA", (picture.width + 2 * MARGIN, picture.height + 2 * MARGIN))
            canvas.paste(picture, (MARGIN, MARGIN))
            canvas.save(options.output / f"{path.stem[:60]}.png")
            count += 1
    print(f"{count} drawings")


if __name__ == "__main__":
    main()
