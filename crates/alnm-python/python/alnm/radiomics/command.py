"""The command line of PyRadiomics: ``python -m alnm.radiomics``, or the script ``alnm-pyradiomics``.

The input is one case, an image and a mask; or a table of cases (CSV) with the columns ``Image`` and ``Mask``, whose
paths are relative to the table, and ``Label`` and ``Label_channel`` where cases need them. Other columns are copied to
the rows. For a case that fails, an error is logged and the row has no features, as in PyRadiomics; the exit code is
then 0 as well.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
import os
import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from alnm import AlnmError, Image, imaging
from alnm.image import as_image
from alnm.radiomics import __version__, logger, parameters
from alnm.radiomics.cases import FAILURES, CaseExtractor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: the arguments of the command line; by default those of the process.
    :returns: the exit code: 0, also where cases failed; 1 for arguments, parameters or a table that cannot be used; 3
        where the output cannot be written.
    :raises SystemExit: for arguments that cannot be parsed (exit code 2), and for ``--help`` and ``--version``.
    """
    options = _parser().parse_args(arguments)
    logger.setLevel(options.logging_level)
    if options.log_file:
        logger.addHandler(logging.FileHandler(options.log_file))
    try:
        cases = _cases(options)
        # Cases that are computed one after the other use all threads, and cases side by side one thread each.
        extractor = CaseExtractor(options.param, threads=None if len(cases) == 1 or options.jobs == 1 else 1)
        settings = extractor.extractor.settings
        settings.update(_settings(options.setting))
        if options.label is not None:
            settings["label"] = options.label
    except (AlnmError, OSError) as error:
        logger.error("%s", error)
        return 1
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        rows = list(pool.map(lambda case: _row(case, extractor, options), enumerate(cases, 1)))
    try:
        with _output(options.out) as file:
            _write(rows, options.format, file)
    except OSError as error:
        logger.error("%s", error)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alnm-pyradiomics", description="Radiomic features of images and masks.")
    parser.add_argument("input", metavar="{Image,Batch}FILE", help="an image, or a table of cases")
    parser.add_argument("mask", nargs="?", metavar="MaskFILE", help="the mask, where the input is an image")
    parser.add_argument("--param", "-p", help="parameter file (YAML or JSON)")
    parser.add_argument("--setting", "-s", action="append", default=[], metavar="NAME:VALUE", help="a setting")
    parser.add_argument("--jobs", "-j", type=int, default=1, help="number of cases that are computed at once")
    parser.add_argument(
        "--mode", "-m", choices=["segment", "voxel"], default="segment", help="features of regions, or feature maps"
    )
    parser.add_argument("--out", "-o", help="file to which rows are appended (default: standard output)")
    parser.add_argument("--out-dir", "-od", default=".", help="folder for feature maps, with --mode voxel")
    parser.add_argument("--skip-nans", action="store_true", help="leave out features that are NaN")
    parser.add_argument("--format", "-f", choices=["csv", "json", "txt"], default="txt", help="format of the rows")
    parser.add_argument("--label", "-l", type=int, help="label of the region")
    levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    parser.add_argument("--logging-level", choices=levels, default="WARNING", help="lowest level of logged messages")
    parser.add_argument("--log-file", help="file to which messages are written as well")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _settings(given: Iterable[str]) -> dict[str, Any]:
    """Settings from texts NAME:VALUE, with values as in a parameter file and lists separated by commas."""
    found: dict[str, Any] = {}
    for text in given:
        name, separator, value = text.partition(":")
        if not separator or name not in parameters.KNOWN:
            logger.warning("--setting %s is left out: it has to be NAME:VALUE with the name of a setting", text)
            continue
        listed = f"[{value}]" if "," in value or name in ("distances", "sigma", "resegmentRange") else value
        group = "voxelSetting" if name in parameters.ONLY_PASSED_ON else "setting"
        found.update(parameters.parse(f"{group}: {{{name}: {listed}}}")[group])
    return found


def _cases(options: argparse.Namespace) -> list[dict[str, str]]:
    if not options.input.endswith(".csv"):
        if options.mask is None:
            raise AlnmError("there is an image and no mask; name the mask, or give a table of cases (.csv)")
        return [{"Image": options.input, "Mask": options.mask}]
    with open(options.input, newline="", encoding="utf-8-sig") as file:
        cases = list(csv.DictReader(file))
    if not cases:
        raise AlnmError(f"{options.input} has 0 cases; it must have at least one")
    missing = {"Image", "Mask"} - set(cases[0])
    if missing:
        raise AlnmError(f"{options.input} has no column {' and '.join(sorted(missing))}; it must have Image and Mask")
    folder = Path(options.input).parent
    return [{**case, **{name: str(folder / case[name]) for name in ("Image", "Mask") if case[name]}} for case in cases]


def _row(
    numbered: tuple[int, dict[str, str]], extractor: CaseExtractor, options: argparse.Namespace
) -> OrderedDict[str, Any]:
    number, case = numbered
    row: OrderedDict[str, Any] = OrderedDict(case)
    voxels = options.mode == "voxel"
    try:
        result = extractor.features(case, voxelBased=voxels)
    except FAILURES as error:
        logger.error("case %d: %s", number, error)
        return row
    for name, value in result.items():
        if voxels and not name.startswith("diagnostics_"):
            row[name] = _save(as_image(value), Path(options.out_dir) / f"Case-{number}_{name}.nrrd")
        elif not (options.skip_nans and isinstance(value, float) and math.isnan(value)):
            row[name] = value
    return row


def _save(image: Image, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    imaging.write(path, image)
    return str(path)


class _output:
    """The file to which rows are appended, or the standard output."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.file: TextIO = sys.stdout

    def __enter__(self) -> TextIO:
        if self.path is not None:
            self.file = open(self.path, "a", newline="", encoding="utf-8")
        return self.file

    def __exit__(self, *_: Any) -> None:
        if self.path is not None:
            self.file.close()


def _write(rows: list[OrderedDict[str, Any]], form: str, file: TextIO) -> None:
    if form == "json":
        file.write(json.dumps(rows, indent=2, default=str) + os.linesep)
    elif form == "csv":
        later = {name for row in rows[1:] for name in row} - set(rows[0])
        writer = csv.DictWriter(file, [*rows[0], *sorted(later)], lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
    else:
        for number, row in enumerate(rows, 1):
            file.writelines(f"Case-{number}_{name}: {value}\n" for name, value in row.items())
