"""DICOM objects written by `alnm`, checked by dciodvfy and read back by other programs.

    apt-get install dicom3tools
    pip install highdicom pydicom SimpleITK rt-utils dcmqi numpy
    cargo build --release -p alnm-cli
    python crates/alnm-imaging/scripts/check_written_objects.py target/release/alnm

An oblique MR series and a CT series are written from noise, and for each a mask with several labels, holes, islands and empty
slices. From these come segmentations (binary, fractional, label map), structure sets (keyhole and exclusive or), a parametric map, a
page and a report. Prints a line for each object and reader, and exits with 1 when one finds a fault:

    dciodvfy     lines that begin with Error, by the tables of the standard; the version of 2022, which Debian 12 has, does not know
                 label maps (in the standard since 2024, segment 0 being the background) and contours combined by exclusive or
                 (CLOSEDPLANAR_XOR), and what it says of them is left aside
    highdicom    segmentations voxel by voxel, reports value by value against the table in CSV
    dcmqi        segimage2itkimage and tid1500reader
    pydicom      bits, shares and numbers of frames, put in their slices
    rt-utils     masks of structure sets: Dice coefficient, at least 0.99
    alnm         everything read back by the command itself
"""

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import SimpleITK as sitk

warnings.filterwarnings("ignore")
SIZE = (40, 40, 12)
ALNM = None
FAULTS = []

# Columns of a table that name the case and hold no value.
DESCRIPTIVE = ("Image", "Mask", "Label", "Segment")


def report(what, reader, fault, note=""):
    print(f"{what:24} {reader:10} {'FAULT' if fault else 'ok':6} {note}{fault or ''}".rstrip())
    if fault:
        FAULTS.append(what)


def alnm(folder, *arguments):
    done = subprocess.run([ALNM, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"alnm {' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


def rotation(angle):
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14.0)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def placed(voxels):
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.7, 2.25))
    image.SetOrigin((-101.5, 33.25, 7.125))
    image.SetDirection(rotation(0.3).flatten().tolist())
    return image


def labels():
    """A ball with a hole and an island in it, a tube, and scattered voxels that touch at corners."""
    z, y, x = np.meshgrid(*[np.arange(n) for n in SIZE[::-1]], indexing="ij")
    mask = np.zeros(SIZE[::-1], np.uint8)
    ball = (x - 15) ** 2 + (y - 16) ** 2 + (3 * (z - 5)) ** 2
    mask[ball < 12**2] = 1
    mask[ball < 7**2] = 0
    mask[ball < 3**2] = 1
    mask[((x - 32) ** 2 + (y - 30) ** 2 < 5**2) & (z != 4)] = 2
    mask[((x - 32) ** 2 + (y - 30) ** 2 < 2**2) & (z > 6)] = 0
    scattered = np.random.default_rng(3).random(mask.shape) < 0.4
    mask[(x > 27) & (y < 12) & (z > 2) & scattered] = 3
    return mask


UNKNOWN = ["SegmentNumber of 0", "Information Object Not found", "Unrecognized enumerated value <CLOSEDPLANAR_XOR>"]


def verify(what, path):
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
    faults = [line for line in lines if not any(unknown in line for unknown in UNKNOWN)]
    unknown = f"{len(lines) - len(faults)} lines about what it does not know " if len(lines) > len(faults) else ""
    report(what, "dciodvfy", "; ".join(faults[:4]), unknown)


def source_uids(folder):
    files = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]
    normal = np.cross(*np.reshape(np.array(files[0].ImageOrientationPatient, float), (2, 3)))
    return [str(file.SOPInstanceUID) for file in sorted(files, key=lambda f: float(np.dot(normal, f.ImagePositionPatient)))]


def differing(read, expected):
    if read.shape != expected.shape:
        return f"shape {read.shape} for {expected.shape}"
    different = int((read != expected).sum())
    return f"{different} voxels differ" if different else ""


def by_highdicom(path, uids, expected):
    seg = highdicom.seg.segread(path)
    numbers = list(seg.segment_numbers)
    options = dict(assert_missing_frames_are_empty=True, ignore_spatial_locations=False)
    if seg.SegmentationType == "FRACTIONAL":
        shares = seg.get_pixels_by_source_instance(uids, segment_numbers=numbers, **options)
        read = sum(number * (shares[..., i] >= 0.5) for i, number in enumerate(numbers))
    else:
        read = seg.get_pixels_by_source_instance(uids, segment_numbers=numbers, combine_segments=True, **options)
    return differing(np.asarray(read).astype(np.uint8), expected)


def by_pydicom(path, uids, expected):
    file = pydicom.dcmread(path)
    frames = file.pixel_array.reshape(int(file.NumberOfFrames), file.Rows, file.Columns)
    read = np.zeros_like(expected)
    for groups, frame in zip(file.PerFrameFunctionalGroupsSequence, frames):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        plane = read[uids.index(str(source))]
        if file.SegmentationType == "LABELMAP":
            plane[...] = frame
        else:
            plane[frame > 127 if file.SegmentationType == "FRACTIONAL" else frame > 0] = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    series = file.ReferencedSeriesSequence[0]
    if [str(item.ReferencedSOPInstanceUID) for item in series.ReferencedInstanceSequence] != uids:
        return "ReferencedSeriesSequence names other images"
    return differing(read, expected)


def by_dcmqi(path, image, expected, folder):
    output = folder / "dcmqi"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    program = Path(sys.executable).parent / "segimage2itkimage"
    done = subprocess.run(
        [program, "--inputDICOM", path, "--outputDirectory", output, "--outputType", "nrrd"], capture_output=True, text=True
    )
    if done.returncode:
        return done.stderr.strip()[-200:]
    read = sitk.Image(image.GetSize(), sitk.sitkUInt8)
    read.CopyInformation(image)
    found = np.zeros_like(expected)
    for file in sorted(output.glob("*.nrrd")):
        segment = sitk.Resample(sitk.ReadImage(str(file)), image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        voxels = sitk.GetArrayFromImage(segment)
        found[voxels > 0] = voxels[voxels > 0]
    return differing(found, expected)


def by_rt_utils(path, series, expected):
    from rt_utils import RTStructBuilder

    structures = RTStructBuilder.create_from(dicom_series_path=str(series), rt_struct_path=str(path))
    notes = []
    for label in np.unique(expected)[1:]:
        read = np.moveaxis(structures.get_roi_mask_by_name(f"Region {label}"), 2, 0)
        wanted = expected == label
        dice = 2 * (read & wanted).sum() / (read.sum() + wanted.sum())
        notes.append(dice)
    return min(notes)


def by_alnm(folder, path, series, expected):
    back = folder / "back.nrrd"
    alnm(folder, "convert", path, back, "--like", series, "--force")
    return differing(sitk.GetArrayFromImage(sitk.ReadImage(str(back))), expected)


def check_masks(folder, what, series, image, mask, uids):
    for name, options in [("binary", ["seg"]), ("fractional", ["fractional-seg"]), ("labelmap", ["labelmap-seg"])]:
        path = folder / f"{name}.seg.dcm"
        alnm(folder, "convert", "mask.nrrd", path, "--like", series, "--object", *options)
        title = f"{what} SEG {name}"
        verify(title, path)
        report(title, "highdicom", by_highdicom(path, uids, mask))
        report(title, "pydicom", by_pydicom(path, uids, mask))
        if name == "binary":
            report(title, "dcmqi", by_dcmqi(path, image, mask, folder))
        report(title, "alnm", by_alnm(folder, path, series, mask))
    for holes in ["keyhole", "xor"]:
        path = folder / f"{holes}.rtstruct.dcm"
        alnm(folder, "convert", "mask.nrrd", path, "--like", series, "--holes", holes)
        title = f"{what} RTSTRUCT {holes}"
        verify(title, path)
        dice = by_rt_utils(path, series, mask)
        report(title, "rt-utils", "" if dice >= 0.99 else "too low, ", f"least Dice {dice:.4f} ")
        report(title, "alnm", by_alnm(folder, path, series, mask))


def check_map(folder, what, series, image):
    path = folder / "values.map.dcm"
    values = sitk.GetArrayFromImage(image).astype(np.float32) / 7
    sitk.WriteImage(placed(values), str(folder / "values.nrrd"))
    alnm(folder, "convert", "values.nrrd", path, "--like", series)
    verify(f"{what} parametric map", path)
    report(f"{what} parametric map", "pydicom", differing(pydicom.dcmread(path).pixel_array, values))
    back = folder / "values-back.nrrd"
    alnm(folder, "convert", path, back)
    report(f"{what} parametric map", "alnm", differing(sitk.GetArrayFromImage(sitk.ReadImage(str(back))), values))


def check_page(folder, what, series):
    pixels = np.random.default_rng(5).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    (folder / "page.ppm").write_bytes(b"P6\n50 30\n255\n" + pixels.tobytes())
    path = folder / "report.page.dcm"
    alnm(folder, "convert", "page.ppm", path, "--like", series)
    verify(f"{what} page", path)
    report(f"{what} page", "pydicom", differing(pydicom.dcmread(path).pixel_array, pixels))


def check_report(folder, what, series):
    path, table = folder / "features.sr.dcm", folder / "features.csv"
    alnm(folder, "extract", series, "binary.seg.dcm", "--labels", "all", "--format", "csv", "--out", table, "--sr", path)
    title = f"{what} report"
    verify(title, path)
    document = highdicom.sr.srread(path)
    groups = document.content.get_volumetric_roi_measurement_groups()
    rows = list(csv.DictReader(open(table)))
    fault, compared = "" if len(groups) == len(rows) else f"{len(groups)} groups for {len(rows)} rows", 0
    for row, group in zip(rows, groups):
        values = {}
        for item in group[0].ContentSequence:
            if item.ValueType == "NUM":
                column = item.ContentSequence[0].TextValue
                measured = item.MeasuredValueSequence
                values[column] = measured[0].FloatingPointValue if measured else float("nan")
        columns = [name for name in row if name not in DESCRIPTIVE and not name.startswith("diagnostics_")]
        for name in columns:
            same = name in values and (float(row[name]) == values[name] or (np.isnan(values[name]) and row[name] == "nan"))
            fault = fault or ("" if same else f"{name} is {values.get(name)}, not {row[name]}")
            compared += 1
    report(title, "highdicom", fault, f"{compared} values ")
    program = Path(sys.executable).parent / "tid1500reader"
    output = folder / "report.json"
    done = subprocess.run([program, "--inputDICOM", path, "--outputMetadata", output], capture_output=True, text=True)
    read = json.loads(output.read_text())["Measurements"] if done.returncode == 0 and output.exists() else []
    count = sum(len(group["measurementItems"]) for group in read)
    report(title, "dcmqi", "" if count == compared else f"exit code {done.returncode}, {count} of {compared} values")


def main():
    global ALNM
    ALNM = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        mask = labels()
        for modality in ["MR", "CT"]:
            place = folder / modality
            place.mkdir()
            noise = np.random.default_rng(1).integers(-500, 1500, SIZE[::-1], dtype=np.int16)
            image = placed(noise if modality == "CT" else np.abs(noise).astype(np.uint16))
            sitk.WriteImage(image, str(place / "image.nrrd"))
            sitk.WriteImage(placed(mask), str(place / "mask.nrrd"))
            series = place / "series"
            alnm(place, "convert", "image.nrrd", "series", "--modality", modality, "--patient-id", "P-7")
            verify(f"{modality} image", next(series.iterdir()))
            uids = source_uids(series)
            check_masks(place, modality, series, image, mask, uids)
            check_map(place, modality, series, image)
            check_page(place, modality, series)
            check_report(place, modality, series)
    print(f"{len(FAULTS)} faults")
    sys.exit(1 if FAULTS else 0)


if __name__ == "__main__":
    main()
