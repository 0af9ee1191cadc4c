#!/usr/bin/env python3
"""Reads all files and series of folders with `alnm` and beside it with other programs, and prints what differs, by cause.

    python3 -m venv venv && venv/bin/pip install SimpleITK==2.5.7 pydicom==3.0.2 nibabel==5.4.2 pynrrd==1.1.3 \\
        highdicom==0.28.2 pillow pyjpegls
    apt-get install dcm2niix
    cargo build --release
    venv/bin/python crates/alnm-imaging/scripts/read_beside_peers.py target/release/alnm FOLDER... [--details details.jsonl]

Nothing is fetched: the folders hold what the reader has, such as the public test collections of pydicom, dcm2niix (dcm_qa), dicom2nifti,
mirp, highdicom, dcmqi, rt-utils, nibabel, pynrrd and ITK.

Files. Each file of DICOM, NIfTI, NRRD or MetaImage is read by itself: all voxels, size, spacing, origin and direction are compared with
SimpleITK (GDCM for DICOM), voxels also with pydicom (stored values times slope plus intercept), nibabel or pynrrd, and of a
segmentation the frames of each segment with highdicom. A file is grey when its pixels have one sample and no palette. The line
"grey images that two peers read" says of how many of those every voxel was read.

Series. Each series of DICOM slices is laid into a folder of its own and read there by dcm2niix, whose volumes are looked for among those of
alnm, and the other way round, whatever their order, voxel by voxel and with their place, after both were turned to one orientation.
A series counts where both have the same volumes. Of the others, SimpleITK (GDCM) reads those that alnm takes for one volume. Series of colours and such in which
dcm2niix finds no image are counted apart.

Exits with 1 when a voxel or a place differs without a word. Files and series that are known to differ stand in KNOWN and KNOWN_SERIES with
the reason, which is printed beside each.
"""

import argparse
import collections
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pydicom
import SimpleITK as sitk

SECONDS = 300
LARGEST_DIFFERENCE = 1e-4  # of the range of the values: single precision of rescaled voxels
PLACE = 2e-3  # mm
ROUNDING = 1e-6  # of the largest value: dcm2niix scales in single precision
# Ends of file names (or parts of them) where a difference is known, with its reason.
KNOWN = {
    "rtdose_expb": "32 bits in the retired big endian syntax, on which GDCM and pydicom disagree too",
}
# Part of the folder and part of the result of series that are known to differ, with the reason.
ENCODINGS = "the same image in several transfer syntaxes under one identifier, which alnm does not take for copies"
FILM = "a film or tiles, whose frames dcm2niix stacks as slices"
KNOWN_SERIES = [
    ("dicom2nifti/tests/data/siemens/", "a Siemens mosaic without", "the private header was removed, which alone says the order of the slices"),
    ("failing/sliceincrement", "missing between", "made for a test of missing slices; dcm2niix warns and leaves the gap"),
    ("dicomdirtests/77654033/CT2", "missing between", "the files are a part of the series; slices are missing"),
    ("failing/gantrytilting", "shifted by", "a tilted gantry; dcm2niix writes sheared and resampled files"),
    ("2D_16Echo_qT2", "uneven distances", "one echo lacks slices (--echo reads the others); dcm2niix warns"),
    ("dcm_qa/In/Orientation/ax", "tells apart", "two tests hold copies of one series whose pixels differ"),
    ("dcm_qa_12bit", "", "bits above the twelve that are stored, which dcm2niix reads; GDCM and pydicom agree with alnm"),
    ("CRLM-CT-1004", "GDCM agrees with alnm", "dcm2niix cuts the series in two"),
    ("dcm_qa_polar/In", "voxels differ", "a field map of GE whose rows dcm2niix turns over; pydicom agrees with alnm"),
    ("highdicom/data/test_files", "no equal", FILM),
    ("dcm4che-test-data", "13 of ours and 1 of dcm2niix", FILM),
    ("dcm4che-test-data", "2 of ours and 1 of dcm2niix", FILM),
    ("fo-dicom/Tests", "19 of ours and 1 of dcm2niix", FILM),
    ("pydicom-data/data_store", "10 of ours and 1 of dcm2niix", FILM),
    ("dcm4che-test-data", "no equal", ENCODINGS),
    ("pydicom/data/test_files", "no equal", ENCODINGS),
    ("test-images", "no equal", ENCODINGS),
    ("test-images", "tells apart", ENCODINGS),
    ("testImages", "tells apart", ENCODINGS),
    ("WG04/J2KI", "", ENCODINGS),
]


def run(command):
    """Exit code and what was said; a command that takes too long has failed."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return 1, f"no end after {SECONDS} s"
    return done.returncode, done.stderr.strip() or done.stdout.strip()


def cause(message):
    """A message without what names one file: paths, numbers, identifiers."""
    lines = [line for line in message.splitlines() if line and not line.startswith("warning")]
    text = lines[-1] if lines else message
    text = re.sub(r"(/[^\s:;,()]+)+", "FILE", text)
    text = re.sub(r'"[^"]*"', '"…"', text)
    text = re.sub(r"\[[^\]]*\]", "[…]", text)
    text = re.sub(r"-?\d+(\.\d+)*(e-?\d+)?", "N", text)
    return text.removeprefix("error: ").replace("FILE: ", "")[:160]


class Image:
    """Voxels in (z, y, x) order, or with a leading axis of volumes, and the place of each where it is known."""

    def __init__(self, voxels, place=None):
        self.voxels, self.place = voxels, place


def place_of(image):
    """Spacing, origin and direction of a SimpleITK image, those of space."""
    n = min(image.GetDimension(), 3)
    direction = np.array(image.GetDirection()).reshape(image.GetDimension(), -1)[:n, :n]
    return np.concatenate([image.GetSpacing()[:n], image.GetOrigin()[:n], direction.ravel()])


def by_simpleitk(path):
    image = sitk.ReadImage(str(path))
    if image.GetNumberOfComponentsPerPixel() > 1 or "complex" in image.GetPixelIDTypeAsString():
        raise ValueError("several components")
    voxels = sitk.GetArrayFromImage(image)
    if format_of(path) == "DICOM":
        data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        # ITK turns MONOCHROME1 over before it rescales, and leaves doses unscaled (findings/simpleitk_monochrome1_inverted.sh).
        if data.get("PhotometricInterpretation") == "MONOCHROME1":
            slope, intercept = float(data.get("RescaleSlope") or 1), float(data.get("RescaleIntercept") or 0)
            largest = 2 ** data.BitsStored - 1 if not data.PixelRepresentation else -1
            voxels = (largest - (voxels.astype(float) - intercept) / slope) * slope + intercept
        voxels = voxels * float(data.DoseGridScaling) if data.get("DoseGridScaling") else voxels
    place = place_of(image)
    if image.GetDimension() > 2 and image.GetSize()[2] == 1:
        place[2] = np.nan  # the thickness of a single slice: ITK takes 1 mm
    return Image(voxels, place)


def by_pydicom(path):
    data = pydicom.dcmread(path, force=True)
    voxels = data.pixel_array
    groups = data.get("PerFrameFunctionalGroupsSequence", [])
    shared = data.get("SharedFunctionalGroupsSequence", [None])[0]

    def scale(frame):
        item = groups[frame] if groups else None
        for holder in (item, shared):
            if holder is not None and "PixelValueTransformationSequence" in holder:
                return holder.PixelValueTransformationSequence[0]
        return data

    def rescaled(pixels, holder):
        slope, intercept = float(holder.get("RescaleSlope") or 1), float(holder.get("RescaleIntercept") or 0)
        dose = float(data.get("DoseGridScaling") or 1)
        return pixels if (slope, intercept, dose) == (1, 0, 1) else pixels.astype(float) * slope * dose + intercept

    if voxels.ndim == 3 and groups:
        return Image(np.stack([rescaled(pixels, scale(frame)) for frame, pixels in enumerate(voxels)]))
    return Image(rescaled(voxels, scale(0)))


def by_nibabel(path):
    voxels = np.asarray(nibabel.load(path).dataobj)
    if voxels.dtype.fields or np.iscomplexobj(voxels):
        raise ValueError("colours or complex numbers")
    return Image(voxels.T)


def by_pynrrd(path):
    return Image(nrrd.read(str(path))[0].T)


PEERS = {"DICOM": [by_simpleitk, by_pydicom], "NIfTI": [by_simpleitk, by_nibabel], "NRRD": [by_simpleitk, by_pynrrd], "MetaImage": [by_simpleitk]}


def format_of(path):
    """By content and name; none for other files."""
    name = path.name.lower()
    try:
        with open(path, "rb") as file:
            start = file.read(132)
    except OSError:
        return None
    if start[128:132] == b"DICM" or start[:2] in (b"\x02\0", b"\x08\0") and name.endswith((".dcm", ".ima", ".dc3", "")) and len(start) == 132:
        return "DICOM"
    if start.startswith(b"NRRD"):
        return "NRRD"
    if name.endswith((".nii", ".nii.gz", ".hdr", ".hdr.gz")):
        return "NIfTI"
    if name.endswith((".mha", ".mhd")):
        return "MetaImage"
    return None


def by_alnm(alnm, path, folder):
    """All volumes of a file, and what was said of them. Raises ValueError with the refusal."""
    code, said = run([alnm, "info", path, "--json"])
    if code:
        raise ValueError(said)
    [told] = json.loads(said)
    if told["format"] == "DICOM":
        if not told["series"]:
            raise ValueError("a mask")
        [series] = told["series"]
        if series["problem"]:
            raise ValueError(series["problem"])
        count, option = len(series["volumes"]), ["--all-volumes"]
    else:
        count, option = told["volumes"], []
    out = Path(folder) / "a.nrrd"
    if told["format"] == "DICOM":
        code, said = run([alnm, "convert", path, out, *option])
        files = [out.with_name(f"a-{number}.nrrd") for number in range(1, count + 1)]
    else:
        files = []
        for number in range(1, count + 1):
            file = out.with_name(f"a-{number}.nrrd")
            code, said = run([alnm, "convert", path, file] + (["--volume", number] if count > 1 else []))
            files.append(file)
            if code:
                break
    if code:
        raise ValueError(said)
    images = [sitk.ReadImage(str(file)) for file in files]
    for file in files:
        file.unlink()
    voxels = [sitk.GetArrayFromImage(image) for image in images]
    place = place_of(images[0])
    if len({v.shape for v in voxels}) > 1:
        raise ValueError("volumes of several sizes in one file")
    return Image(voxels[0] if count == 1 else np.stack(voxels), place), said


def same_values(ours, theirs):
    """Whether all voxels are equal but for the rounding of single precision; axes of length 1 do not count. The planes of a file may
    stand in another order, as the frames of an enhanced file do until they are sorted by their place."""
    if ours.size != theirs.size:
        return f"{ours.size} voxels where {theirs.size} are found"
    squeezed = lambda a: a.reshape([n for n in a.shape if n > 1] or [1])
    a, b = squeezed(ours), squeezed(theirs)
    if a.shape != b.shape and a.size == b.size and a.shape[-2:] == b.shape[-2:]:
        a, b = (v.reshape(-1, *v.shape[-2:]) for v in (a, b))
    if a.shape != b.shape:
        return f"shape {a.shape} where {b.shape} is found"
    a, b = a.astype(np.float64), b.astype(np.float64)
    scale = max(np.nanmax(np.abs(b), initial=0.0), 1e-30)
    near = lambda p, q: bool(np.all(np.isclose(p, q, rtol=0, atol=LARGEST_DIFFERENCE * scale, equal_nan=True) | (np.isnan(p) & (q == 0)) | (np.isnan(q) & (p == 0))))
    if near(a, b):
        return None
    if a.ndim >= 3:
        planes = lambda v: sorted(hashlib.sha256(np.ascontiguousarray(p.astype(np.float32) + 0.0).tobytes()).digest() for p in v.reshape(-1, *v.shape[-2:]))
        if planes(a) == planes(b):
            return None
    return f"{np.mean(~np.isclose(a, b, rtol=0, atol=LARGEST_DIFFERENCE * scale)):.2%} of the voxels differ"


def same_place(ours, theirs):
    if ours is None or theirs is None or len(ours) != len(theirs):
        return None
    known = ~np.isnan(theirs)
    return None if np.allclose(ours[known], theirs[known], atol=PLACE) else f"place {np.round(ours, 4).tolist()} where {np.round(theirs, 4).tolist()} is found"


def compare_segmentation(alnm, path, folder):
    """Each segment of a segmentation against highdicom's frames of it, as sets of voxels by their number."""
    import highdicom

    seg = highdicom.seg.segread(str(path))
    found = {}
    is_fractional = seg.SegmentationType == "FRACTIONAL"
    least = seg.MaximumFractionalValue / 2 if is_fractional else 1
    for number in [n for n in seg.segment_numbers if n > 0]:
        out = Path(folder) / "s.nrrd"
        code, said = run([alnm, "convert", path, out, "--roi-number", number, "--force"])
        if code:
            return cause(said)
        found[number] = int((sitk.GetArrayFromImage(sitk.ReadImage(str(out))) > 0).sum())
    pixels = seg.pixel_array if seg.pixel_array.ndim == 3 else seg.pixel_array[None]
    expected = collections.Counter()
    for frame, groups in zip(pixels, seg.PerFrameFunctionalGroupsSequence):
        if "SegmentIdentificationSequence" in groups:
            expected[groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber] += int((frame >= least).sum())
        else:
            for number in found:
                expected[number] += int((frame == number).sum())
    different = {n: (found[n], expected[n]) for n in found if found[n] != expected[n]}
    return f"DIFFERENT: voxels of segments {different}" if different else None


def read_file(arguments):
    alnm, path = arguments
    row = {"file": str(path), "format": format_of(path), "grey": True, "peers": [], "alnm": "read", "differs": ""}
    with tempfile.TemporaryDirectory() as folder:
        if row["format"] == "DICOM":
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
                row["grey"] = header.get("SamplesPerPixel", 1) == 1 and header.get("PhotometricInterpretation") != "PALETTE COLOR"
                row["modality"] = str(header.get("Modality", ""))
                # Peers read the frame that holds all slices of a mosaic or grid as one flat image.
                row["flat"] = "MOSAIC" in str(header.get("ImageType", "")) or (0x0065, 0x1051) in header
                if row["modality"] == "SEG":
                    try:
                        row["alnm"], row["kind"] = compare_segmentation(alnm, path, folder) or "read", "segmentation"
                        row["differs"] = row["alnm"] if row["alnm"].startswith("DIFFERENT") else ""
                    except Exception as problem:
                        row["alnm"], row["kind"] = f"highdicom: {cause(str(problem))}", "segmentation"
                    return row
                if "Rows" not in header or "BitsAllocated" not in header:
                    row["kind"] = "no image"
                    return row
            except Exception:
                pass
        peers = {}
        for peer in PEERS[row["format"]]:
            try:
                peers[peer.__name__] = peer(path)
            except Exception:
                pass
        row["peers"] = sorted(peers)
        try:
            ours, said = by_alnm(alnm, path, folder)
        except ValueError as problem:
            row["alnm"] = cause(str(problem))
            return row
        except Exception as problem:
            row["alnm"] = f"script: {type(problem).__name__} {problem}"[:160]
            return row
        differences = []
        for name, image in peers.items() if not row.get("flat") else []:
            differs = same_values(ours.voxels, image.voxels)
            differences += [f"{name}: {differs}"] if differs else []
        if "by_simpleitk" in peers and not differences:
            differs = same_place(ours.place, peers["by_simpleitk"].place)
            differences += [f"by_simpleitk: {differs}"] if differs else []
        # One peer that agrees is enough: peers differ from each other.
        agree = len(peers) - len({d.split(":")[0] for d in differences})
        row["differs"] = "; ".join(differences)
        row["agree"] = agree
    return row


class Volume:
    """A volume turned to the orientation nearest to RAS; its voxels are read again where they are compared one by one."""

    def __init__(self, file, number, voxels, affine):
        self.file, self.number = file, number
        turned = nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels.astype(np.float32), affine))
        data = np.ascontiguousarray(np.asarray(turned.dataobj)) + 0.0
        self.shape, self.affine, self.hash = data.shape, turned.affine, hashlib.sha256(data.tobytes()).hexdigest()

    def voxels(self):
        [volume] = [v for v in volumes_in(self.file, self.number)]
        turned = nibabel.as_closest_canonical(nibabel.Nifti1Image(volume[1], volume[2]))
        return np.asarray(turned.dataobj).astype(np.float64)

    def is_like(self, other):
        """Equal, or equal but for the rounding of rescaled values."""
        if self.shape != other.shape:
            return False
        if self.hash == other.hash:
            return True
        a, b = self.voxels(), other.voxels()
        return bool(np.allclose(a, b, rtol=0, atol=ROUNDING * max(np.abs(b).max(), 1e-30), equal_nan=True))


def volumes_in(file, wanted=None):
    """Number, voxels and affine of each volume of a NIfTI file of grey values."""
    image = nibabel.load(file)
    if image.get_data_dtype().fields or len(image.shape) < 2:
        return
    data = np.asarray(image.dataobj, dtype=np.float32)
    data = data.reshape(*(list(data.shape) + [1])[:3], -1)
    for number in range(data.shape[3]) if wanted is None else [wanted]:
        yield number, data[..., number], image.affine


def volumes_of(files):
    return [Volume(file, *volume) for file in files for volume in volumes_in(file)]


def pairs(ours, theirs):
    """Volumes that are alike, and those that are left on each side."""
    found, left = [], list(theirs)
    by_hash = collections.defaultdict(list)
    for volume in left:
        by_hash[volume.hash].append(volume)
    rest = []
    for volume in ours:
        same = by_hash[volume.hash]
        if same:
            nearest = min(same, key=lambda other: np.abs(volume.affine - other.affine).max())
            same.remove(nearest)
            left.remove(nearest)
            found.append((volume, nearest))
        else:
            rest.append(volume)
    unpaired = []
    for volume in rest:
        like = next((other for other in left if volume.is_like(other)), None)
        if like is None:
            unpaired.append(volume)
        else:
            left.remove(like)
            found.append((volume, like))
    return found, unpaired, left


def read_series(arguments):
    alnm, dcm2niix, uid, files = arguments
    row = {"series": uid, "file": str(files[0].parent), "files": len(files), "dcm2niix": 0, "alnm": 0, "result": ""}
    with tempfile.TemporaryDirectory() as folder:
        source, theirs, ours = (Path(folder) / name for name in ("in", "theirs", "ours"))
        for made in (source, theirs, ours):
            made.mkdir()
        for number, file in enumerate(files):
            (source / f"{number:05}.dcm").symlink_to(file)
        header = pydicom.dcmread(files[0], stop_before_pixels=True, force=True)
        row["modality"], row["manufacturer"] = str(header.get("Modality", "")), str(header.get("Manufacturer", ""))
        _, said = run([dcm2niix, "-b", "n", "-z", "n", "-p", "n", "-m", "n", "-f", "%s_%e_%t", "-o", theirs, source])
        images = sorted(theirs.glob("*.nii"))
        # What dcm2niix makes of an image beside the image itself: turned upright, evenly spaced, the overlay.
        expected = volumes_of([i for i in images if not re.search(r"_(Tilt|Eq|ROI)\d*(_\d+)?\.nii$", i.name)])
        row["dcm2niix"] = len(expected)
        code, told = run([alnm, "info", source, "--json"])
        if code:
            row["result"] = "refused: " + cause(told)
            return row
        listed = json.loads(told)[0]["series"]
        problem = next((s["problem"] for s in listed if s["problem"]), None)
        if problem or not listed:
            row["result"] = "refused: " + cause(problem or "no image")
            return row
        options = ["--luminance"] if header.get("SamplesPerPixel", 1) == 3 else []
        code, said = run([alnm, "convert", source, ours / "a.nii", "--all-volumes", *options])
        if code:
            row["result"] = "refused: " + cause(said)
            return row
        found = volumes_of(sorted(ours.glob("*.nii")))
        row["alnm"] = len(found)
        if options:
            row["result"] = "colours"
            return row
        same, extra, left = pairs(found, expected)
        # Of a series with derived maps dcm2niix writes the other volumes a second time.
        matched = {theirs.hash for _, theirs in same}
        left = [volume for volume in left if volume.hash not in matched]
        if not expected:
            row["result"] = "dcm2niix finds no image; alnm reads"
        elif not left and not extra:
            apart = max(np.abs(a.affine - b.affine).max() for a, b in same)
            row["result"] = "same" if apart < 5e-3 else f"place differs by {apart:.3f} mm"
        elif len(left) == len(extra):
            row["result"] = f"voxels differ in {len(extra)} of {len(found)} volumes"
        else:
            row["result"] = f"other volumes: {len(extra)} of ours and {len(left)} of dcm2niix have no equal"
        if row["result"] != "same" and len(found) == 1:
            row["result"] += "; " + against_gdcm(source, uid, found[0])
    return row


def against_gdcm(source, uid, ours):
    try:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(source), uid)
        image = sitk.ReadImage(names)
        flip = np.diag([-1, -1, 1, 1])
        affine = np.eye(4)
        affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        theirs = Volume(None, 0, sitk.GetArrayFromImage(image).T, flip @ affine)
        if theirs.hash != ours.hash:
            return "GDCM differs too"
        apart = np.abs(theirs.affine - ours.affine).max()
        return "GDCM agrees with alnm" if apart < 5e-3 else f"GDCM has the voxels, in a place {apart:.3f} mm off"
    except Exception as problem:
        return f"GDCM does not read it ({cause(str(problem))})"


def series_of(files):
    """Files of images by series; a copy of an instance counts once."""
    series, seen = collections.defaultdict(list), set()
    for file in files:
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID", "SOPInstanceUID", "Rows", "Modality"])
        except Exception:
            continue
        uid, instance = header.get("SeriesInstanceUID"), header.get("SOPInstanceUID")
        if not uid or "Rows" not in header or header.get("Modality") in ("SEG", "RTSTRUCT") or (uid, instance) in seen:
            continue
        seen.add((uid, instance))
        series[uid].append(file)
    return series


def table(title, counts):
    print(f"\n{title}")
    for what, count in counts.most_common():
        print(f"  {count:6}  {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("alnm", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--dcm2niix", default="dcm2niix")
    parser.add_argument("--details", type=Path, help="a line of JSON for each file and series")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["files", "series"])
    parser.add_argument("--least-files", type=int, default=2, help="files from which on a series is compared (one where it has several frames)")
    options = parser.parse_args()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    warnings.simplefilter("ignore")
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    alnm = options.alnm.resolve()
    files = [f.resolve() for folder in options.folders for f in sorted(folder.rglob("*")) if f.is_file()]
    files = [f for f in files if format_of(f)]
    failed = 0
    details = open(options.details, "w") if options.details else None

    def finished(rows):
        """The rows as they come; each is written down at once, since a large collection takes long."""
        for row in rows:
            if details:
                print(json.dumps(row), file=details, flush=True)
            yield row

    with ThreadPoolExecutor(options.threads) as pool:
        if options.only != "series":
            series = series_of(f for f in files if format_of(f) == "DICOM")
            # Of a series of many slices some stand for all: the series is compared as a whole below.
            left_out = {f for of_series in series.values() for f in of_series[3:]}
            singles = [f for f in files if f not in left_out]
            failed += report_files(list(finished(pool.map(read_file, ((alnm, f) for f in singles)))))
        if options.only != "files":
            series = series_of(f for f in files if format_of(f) == "DICOM")
            wanted = {uid: of for uid, of in series.items() if len(of) >= options.least_files or frames(of[0]) > 1}
            ordered = sorted(wanted.items(), key=lambda item: len(item[1]))
            of_series = pool.map(read_series, ((alnm, options.dcm2niix, uid, of) for uid, of in ordered))
            failed += report_series(list(finished(of_series)))
    sys.exit(1 if failed else 0)


def frames(path):
    try:
        return int(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["NumberOfFrames"]).get("NumberOfFrames") or 1)
    except Exception:
        return 1


def known(row):
    return next((reason for part, reason in KNOWN.items() if part in row["file"]), None)


def report_files(rows):
    grey = [r for r in rows if r["grey"] and len(r["peers"]) >= 2 and not r.get("flat")]
    read = [r for r in grey if r["alnm"] == "read"]
    different = [r for r in rows if r["differs"]]
    silent = [r for r in different if not r.get("agree") and not known(r)]
    print(f"{len(rows)} files; grey images that two peers read: {len(grey)}, of which alnm reads {len(read)} ({len(read) / max(len(grey), 1):.1%})")
    table("refused, of the grey images that two peers read:", collections.Counter(r["alnm"] for r in grey if r["alnm"] != "read"))
    table("refused, of the grey images that one peer reads:", collections.Counter(f"{r['alnm']} (read by {r['peers'][0]})" for r in rows if r["grey"] and len(r["peers"]) == 1 and r["alnm"] != "read"))
    table("mosaics and grids, which peers read as flat images:", collections.Counter(r["alnm"] for r in rows if r.get("flat")))
    table("read by alnm alone:", collections.Counter(r["format"] for r in rows if not r["peers"] and r["alnm"] == "read" and "kind" not in r))
    table("segmentations:", collections.Counter(r["alnm"] for r in rows if r.get("kind") == "segmentation"))
    print(f"\ndifferent from a peer, equal to another: {sum(1 for r in different if r.get('agree'))}")
    for r in [r for r in different if r.get("agree")]:
        print(f"  {r['file']}: {r['differs']}")
    print(f"different from every peer: {len(silent)}")
    for r in silent:
        print(f"  {r['file']}: {r['differs']}")
    for r in different:
        if known(r):
            print(f"  known: {r['file']}: {known(r)}")
    return len(silent)


def report_series(rows):
    same = [r for r in rows if r["result"] == "same"]
    split = [r for r in rows if r["dcm2niix"]]
    print(f"\n{len(rows)} series, {len(split)} in which dcm2niix finds an image; the same volumes: {len(same)}")
    table("by result:", collections.Counter(r["result"] for r in rows))
    others = [r for r in split if r["result"] not in ("same", "colours")]
    reasons = {r["series"]: next((why for part, result, why in KNOWN_SERIES if part in r["file"] and result in r["result"]), None) for r in others}
    print("\nthe others:")
    for r in others:
        print(f"  {r['result']}: {r['file']} ({r['manufacturer']} {r['modality']}, {r['files']} files, dcm2niix {r['dcm2niix']} volumes, alnm {r['alnm']})")
        print(f"    {reasons[r['series']] or 'UNKNOWN'}")
    print("\nin which dcm2niix finds no image:")
    for r in rows:
        if not r["dcm2niix"] and r["result"] != "colours":
            print(f"  {r['result']}: {r['file']} ({r['manufacturer']} {r['modality']}, {r['files']} files)")
    return sum(why is None for why in reasons.values())


if __name__ == "__main__":
    main()
