#!/usr/bin/env python3
"""Leafs through the page of `alnm view` in headless Chromium with keys, wheel, sliders and boxes, and compares what it shows.

    python3 crates/alnm-cli/scripts/check_page.py --alnm target/release/alnm [--shots FOLDER]

The page is of three phases of a made image with two outlined regions, opened from a file, without a network. --shots keeps
screens of a wide and of a narrow window. Needs `chromium` and no Python package.
"""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

SIZE = (40, 30, 12)

DRIVING = """
<script>
const pictures = [];
const seen = () => {
  const path = [...document.querySelectorAll("#outlines path")];
  const source = element("picture").getAttribute("href");
  if (!pictures.includes(source)) pictures.push(source);
  return { slice: element("slice-text").textContent, phase: element("phase-text").textContent,
    strokes: path.map(line => line.getAttribute("stroke")), filter: element("picture").style.filter,
    picture: pictures.indexOf(source) };
};
const press = key => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const slide = (id, value) => { element(id).value = value; element(id).dispatchEvent(new Event("input", { bubbles: true })); };
const steps = {
  start: () => {}, down: () => press("ArrowDown"), up: () => press("ArrowUp"), "page down": () => press("PageDown"),
  home: () => press("Home"), "up again": () => press("ArrowUp"), end: () => press("End"), "down again": () => press("ArrowDown"),
  wheel: () => document.querySelector("main").dispatchEvent(new WheelEvent("wheel", { deltaY: -100, cancelable: true })),
  "slider of slices": () => slide("slice", 5), right: () => press("ArrowRight"), "slider of phases": () => slide("phase", 3),
  "right again": () => press("ArrowRight"), left: () => press("ArrowLeft"), "no outlines": () => press("o"),
  outlines: () => press("o"), "not label 1": () => press("1"), "not label 2": () => element("label-2").click(),
  "label 1": () => press("1"), contrast: () => press("+"), "less contrast": () => press("-"),
};
const found = {};
for (const [name, step] of Object.entries(steps)) { step(); found[name] = seen(); }
place();
const main = document.querySelector("main").getBoundingClientRect();
const inside = box => box.left >= main.left && box.right <= main.right && box.top >= main.top && box.bottom <= main.bottom;
const marks = [...document.querySelectorAll(".letter"), element("bar")];
const scale = Math.min(main.width / width, main.height / height);
const answer = document.createElement("pre");
answer.id = "answer";
answer.hidden = true;
answer.textContent = JSON.stringify({ found, letters: marks.map(mark => mark.textContent),
  inside: marks.map(mark => inside(mark.getBoundingClientRect())),
  bar: element("bar").getBoundingClientRect().width / scale, links: document.querySelectorAll("[src^=http], [href^=http]").length });
document.body.append(answer);
</script>
"""


def image(path, value):
    x, y, z = SIZE
    header = (
        f"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {x} {y} {z}\n"
        "space directions: (1,0,0) (0,1,0) (0,0,2)\nkinds: domain domain domain\nencoding: text\nspace origin: (0,0,0)\n\n"
    )
    voxels = (value(i, j, k) for k in range(z) for j in range(y) for i in range(x))
    path.write_text(header + "\n".join(map(str, voxels)) + "\n")


def label(x, y, z):
    """Two boxes in the slices 4 to 7, counted from 1."""
    if 3 <= z <= 6 and 5 <= x <= 14 and 5 <= y <= 14:
        return 1
    return 2 if 3 <= z <= 6 and 22 <= x <= 33 and 10 <= y <= 24 else 0


def acquired_at(minute, file):
    """A DICOM file with another AcquisitionTime (0008,0032) of the same length."""
    tag = b"\x08\x00\x32\x00TM"
    start = file.index(tag) + len(tag) + 2
    length = int.from_bytes(file[start - 2 : start], "little")
    return file[:start] + f"12{minute:02}00.000000"[:length].ljust(length).encode() + file[start + length :]


# What each step shows: slice, phase, strokes of the outlines, filter of the picture.
YELLOW, BLUE = "#f0e442", "#56b4e9"
BOTH = [YELLOW, BLUE]
EXPECTED = {
    "start": (4, 1, BOTH, ""),
    "down": (5, 1, BOTH, ""),
    "up": (4, 1, BOTH, ""),
    "page down": (9, 1, [], ""),
    "home": (1, 1, [], ""),
    "up again": (1, 1, [], ""),
    "end": (12, 1, [], ""),
    "down again": (12, 1, [], ""),
    "wheel": (11, 1, [], ""),
    "slider of slices": (5, 1, BOTH, ""),
    "right": (5, 2, BOTH, ""),
    "slider of phases": (5, 3, BOTH, ""),
    "right again": (5, 3, BOTH, ""),
    "left": (5, 2, BOTH, ""),
    "no outlines": (5, 2, [], ""),
    "outlines": (5, 2, BOTH, ""),
    "not label 1": (5, 2, [BLUE], ""),
    "not label 2": (5, 2, [], ""),
    "label 1": (5, 2, [YELLOW], ""),
    "contrast": (5, 2, [YELLOW], "brightness(1.15)"),
    "less contrast": (5, 2, [YELLOW], ""),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alnm", default="target/release/alnm")
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--shots", type=Path)
    options = parser.parse_args()
    alnm = Path(options.alnm).resolve()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def run(*arguments):
            subprocess.run([alnm, *arguments], cwd=folder, check=True)

        for phase in (1, 2, 3):
            image(folder / f"phase{phase}.nrrd", lambda x, y, z: phase * (x * 10 + y * 5 + z))
            run("convert", f"phase{phase}.nrrd", f"series/{phase}", "--patient-id", "P")
            for file in (folder / "series" / str(phase)).iterdir():
                file.write_bytes(acquired_at(phase, file.read_bytes()))
        image(folder / "mask.nrrd", label)
        run("convert", "series", "dynamic", "--series-as-phases")
        run("view", "dynamic", "mask.nrrd", "page.html")
        page = folder / "page.html"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        flags += ["--disable-background-networking", f"--user-data-dir={folder}/profile"]

        def chromium(*arguments):
            return subprocess.run([options.chromium, *flags, *arguments], check=True, capture_output=True, text=True).stdout

        for name, size in (("wide", "1366,768"), ("narrow", "390,780")):
            if options.shots:
                options.shots.mkdir(parents=True, exist_ok=True)
                shot = (options.shots / f"page-{name}.png").resolve()
                chromium(f"--window-size={size}", f"--screenshot={shot}", page.as_uri())
            driven = folder / "driven.html"
            driven.write_text(page.read_text().replace("</body>", DRIVING + "</body>"))
            dom = chromium(f"--window-size={size}", "--dump-dom", driven.as_uri())
            answer = json.loads(re.search(r'<pre id="answer" hidden="">(.*?)</pre>', dom, re.S).group(1))
            pictures = {}
            for step, (slice_, phase, strokes, filter_) in EXPECTED.items():
                seen = answer["found"][step]
                expected = {"slice": f"z {slice_}/12", "phase": f"{phase}/3", "strokes": strokes, "filter": filter_}
                shown = {name: seen[name] for name in expected}
                if shown != expected:
                    faults.append((name, step, shown, expected))
                # A picture for each slice of each phase, and no other.
                if pictures.setdefault((slice_, phase), seen["picture"]) != seen["picture"]:
                    faults.append((name, step, "another picture of the same slice"))
            if len(set(pictures.values())) != len(pictures):
                faults.append((name, "two slices have one picture"))
            if answer["letters"] != ["R", "L", "A", "P", "10 mm"] or not all(answer["inside"]):
                faults.append((name, answer["letters"], answer["inside"]))
            if abs(answer["bar"] - 10) > 0.05 or answer["links"]:
                faults.append((name, "bar", answer["bar"], "links", answer["links"]))
            print(f"{name} window: {len(EXPECTED)} steps, {len(pictures)} slices, bar of {answer['bar']:.2f} mm")
    for fault in faults:
        print("FAULT", *fault)
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
