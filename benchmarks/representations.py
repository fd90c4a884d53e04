"""Every architecture at one size, on parts of pictures and of sounds: the table of docs/compare.md.

Runs `neurafield compare --archs all --tune` on the central 128 x 128 pixels of each picture and the
central 40,000 samples of each sound, with 12,000 parameters, about a quarter of the values. The
pages remain in DIR; existing comparisons are not repeated.

python -m benchmarks.representations --out DIR FILE...
"""

import argparse
import json
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image

from neurafield.cli.main import main as neurafield

from .harness import write_result

PIXELS, SAMPLES = 128, 40_000
PARAMETERS, STEPS = 12_000, 300


def main() -> None:
    """Run one comparison per file, then collect all in one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.representations")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    reports = {}
    for file in arguments.files:
        part = cut(file, arguments.out)
        folder = arguments.out / f"{part.stem}-compare"
        if not (folder / "compare.html").exists():
            compare(part, folder)
        reports[part.stem] = json.loads((folder / "compare.json").read_text())
    found = table(reports)
    write_result("representations", found)
    print("\n".join(markdown(found)))


def cut(file: Path, folder: Path) -> Path:
    """Crop of the centre of a file."""
    part = folder / file.name
    if file.suffix == ".png":
        picture = Image.open(file)
        left, top = (picture.width - PIXELS) // 2, (picture.height - PIXELS) // 2
        picture.crop((left, top, left + PIXELS, top + PIXELS)).save(part)
    else:
        samples, rate = soundfile.read(file, dtype="int16")
        start = (len(samples) - SAMPLES) // 2
        soundfile.write(part, samples[start : start + SAMPLES], rate)
    return part


def compare(part: Path, folder: Path) -> None:
    """Runs the command."""
    options = ["--archs", "all", "--params", str(PARAMETERS), "--steps", str(STEPS), "--tune"]
    try:
        neurafield(["compare", str(part), *options, "--force", "--out", str(folder)])
    except SystemExit as ended:
        if ended.code:
            raise


def table(reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """PSNR and SSIM of each part for each architecture, and seconds for a thousand steps."""
    found: dict[str, Any] = {}
    for name, report in reports.items():
        for entry in report["architectures"]:
            row = found.setdefault(entry["arch"], {"parts": {}})
            run = entry["runs"][0]
            row["parts"][name] = {
                "psnr": round(entry["psnr"]["mean"], 2),
                "ssim": entry["ssim"] and round(entry["ssim"]["mean"], 4),
                "params": entry["params"],
                "lr": entry["lr"],
                "ms_a_step": round(1e3 * run["seconds"] / run["steps"], 1),
            }
    return found


def markdown(found: dict[str, Any]) -> list[str]:
    """One row per architecture, sorted by mean PSNR on pictures, best first."""
    names = list(dict.fromkeys(name for row in found.values() for name in row["parts"]))
    pictures = [
        name for name in names if any(r["parts"].get(name, {}).get("ssim") for r in found.values())
    ]

    def mean(row: dict[str, Any]) -> float:
        values = [row["parts"][name]["psnr"] for name in pictures if name in row["parts"]]
        return sum(values) / len(values) if values else 0.0

    lines = [
        f"| | {' | '.join(names)} | mean of pictures | ms a step |",
        "|---" + "|--:" * (len(names) + 2) + "|",
    ]
    for arch, row in sorted(found.items(), key=lambda item: -mean(item[1])):
        cells = [f"{row['parts'][n]['psnr']:.2f}" if n in row["parts"] else "–" for n in names]
        speed = next(iter(row["parts"].values()))["ms_a_step"]
        lines.append(f"| {arch} | {' | '.join(cells)} | {mean(row):.2f} | {speed:g} |")
    return lines


if __name__ == "__main__":
    main()
