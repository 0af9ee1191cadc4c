#!/usr/bin/env python3
"""`alnm info --json` on folders of files that nobody of this project wrote, such as checkouts of public test data.

    check_info.py ALNM COLLECTION...

Every folder with files, and every file that is no DICOM slice, is described; each answer has to be valid by
docs/info.schema.json, and no path may end the program otherwise than with 0 (described) or 1 (refused with a message). What was
refused, and how often what was odd, is printed. Needs the package jsonschema (4.26 was used).
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).parents[3] / "docs" / "info.schema.json"
SUFFIXES = (".nii", ".nii.gz", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd")


def paths(collection):
    """Folders that hold files, and single files with the suffix of an image."""
    for folder, folders, names in os.walk(collection):
        folders[:] = sorted(name for name in folders if name != ".git")
        if names:
            yield folder
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.lower().endswith(SUFFIXES) and os.path.isfile(path):
                yield path


def described(alnm, path):
    """The exit code, what is wrong with the answer, the answer and the messages."""
    try:
        done = subprocess.run([alnm, "info", path, "--json"], capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return "timeout", "takes more than 10 minutes", [], ""
    try:
        answer = json.loads(done.stdout, parse_constant=lambda name: sys.exit(f"{path}: {name} is no JSON"))
    except json.JSONDecodeError as error:
        return done.returncode, f"no JSON: {error}", [], done.stderr
    faults = [f"{fault.json_path}: {fault.message}"[:300] for fault in VALIDATOR.iter_errors(answer)]
    return done.returncode, "; ".join(faults[:3]), answer, done.stderr


VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def main():
    alnm, collections_ = sys.argv[1], sys.argv[2:]
    codes, odd, refused, faults = collections.Counter(), collections.Counter(), collections.Counter(), []
    told = collections.Counter()
    for collection in collections_:
        found = list(paths(collection))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for path, (code, fault, answer, said) in zip(found, pool.map(lambda path: described(alnm, path), found)):
                codes[code] += 1
                if fault or code not in (0, 1):
                    faults.append((path, code, fault, said[:200]))
                for entry in answer:
                    if entry["error"]:
                        told["refused"] += 1
                    elif entry["header"]:
                        told["files, with their voxels" if entry["voxels"] else "files, by their header alone"] += 1
                    else:
                        told["DICOM files and folders"] += 1
                        told["series in them"] += len(entry["series"])
                        told["of these without a volume, with the reason"] += sum(bool(one["problem"]) for one in entry["series"])
                        told["structure sets and segmentations in them"] += len(entry["masks"])
                    if entry["error"]:
                        refused[entry["error"].removeprefix(path + ": ")[:60]] += 1
                    of_entry = entry["odd"] + [item for series in entry["series"] for item in series["odd"]]
                    odd.update(item["advice"] for item in of_entry)
                    told["paths with something odd, and what to do"] += bool(of_entry)
    print("exit codes:", dict(codes), "of", sum(codes.values()), "paths;", len(faults), "answers not as the schema says")
    for what, count in told.most_common():
        print(f"{count:7} {what}")
    for name, counter in (("advice:", odd), ("refused:", refused)):
        print(name)
        for what, count in counter.most_common(40):
            print(f"{count:7} {what}")
    for fault in faults:
        print("FAULT", *fault)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
