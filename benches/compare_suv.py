#!/usr/bin/env python3
"""Compares the standardised uptake values of `alnm convert --suv` with MIRP, pysuv and the formula by hand, voxel by voxel.

    python3.11 -m venv venv && venv/bin/pip install mirp==2.7.0 pydicom==3.0.2 && venv/bin/pip install --no-deps pysuv==0.1.0
    cargo build --release -p alnm-cli
    venv/bin/python benches/compare_suv.py target/release/alnm

It writes small PET series whose slices have a rescale slope each and lie in three bed positions, scanned one after the other. By hand is
numpy in double precision by the pseudo-code of QIBA's vendor-neutral calculation, on the attributes of the files: the time to which images
are decayed (START) is that of the series, unless it is later than the first acquisition; then it is computed back from the frame reference
time of each slice. The script asserts that this is the time with which the series were made. What the pseudo-code does not treat follows the
standard (PS3.3 C.8.9.1): ADMIN takes the injected activity as it is, and values in g/ml are normalised by what SUVType says. pysuv reads
BQML and START alone and always takes the time of the series; its values by body surface are per m² and multiplied by 10,000 here. Figures
are the largest differences relative to the other value; MIRP calculates in single precision. A table of each case and kind comes first,
then one of the largest differences of each case. What alnm refuses is printed as it
says it. Where alnm differs from the formula by hand by more than 1e-6, the script says so and ends with status 1.
"""

import argparse
import logging
import math
import subprocess
import sys
import tempfile
import warnings
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import itk
import numpy as np
import pydicom
import pysuv
from mirp import extract_images
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

SIDE, SLICES_OF_BED, BEDS, FRAME = 12, 3, 3, 150.0  # seconds of a bed position
HALF_LIFE = {"F-18": 6586.2, "Ga-68": 4062.6}  # s
# The name of alnm, of MIRP and of pysuv, which has no lean body mass after Janmahasatian.
KINDS = {
    "bw": ("body_weight", "bw"),
    "lbm": ("lean_body_mass", "lbm"),
    "lbm-janmahasatian": ("lean_body_mass_bmi", None),
    "bsa": ("body_surface_area", "bsa"),
}
NOON = datetime(2026, 3, 2, 12, 0)


def case(name, nuclide, sex, weight, height, minutes, **other):
    """`series` and `first`: seconds from the time to which images are decayed to the series time and to the first acquisition; `moved`: what
    the date of the injection is off."""
    return {"name": name, "nuclide": nuclide, "sex": sex, "weight": weight, "height": height, "minutes": minutes, "decay": "START",
            "injection": NOON, "series": 0.0, "first": 0.0, "date_time": True, "beds": range(BEDS), "moved": timedelta(0), "units": "BQML",
            "type": None} | other


CASES = [
    case("START, series time = first acquisition", "F-18", "M", 82.5, 1.81, 60),
    case("START, series time = first acquisition", "Ga-68", "F", 61.0, 1.64, 75),
    case("START, injection by time alone, with half a second", "F-18", "F", 104.0, 1.58, 95, date_time=False,
         injection=NOON + timedelta(seconds=0.5)),
    case("START, series time 5 min before acquisition", "Ga-68", "M", 118.0, 1.92, 60, first=300.0),
    case("START, series time 5 min before acquisition", "F-18", "F", 48.2, 1.71, 63, first=300.0),
    case("START, series made 2 h after acquisition", "F-18", "M", 71.3, 1.69, 60, series=7200.0),
    case("START, series made 2 h after acquisition", "Ga-68", "F", 90.0, 1.66, 110, series=7200.0),
    case("START, midnight between, time alone", "F-18", "F", 55.0, 1.60, 70, date_time=False, injection=NOON + timedelta(hours=11, minutes=20)),
    case("START, midnight between, date and time", "Ga-68", "M", 95.0, 1.78, 70, injection=NOON + timedelta(hours=11, minutes=20)),
    case("ADMIN, series time 5 min before acquisition", "F-18", "F", 67.0, 1.70, 90, decay="ADMIN", first=300.0),
    case("ADMIN, series time = first acquisition", "Ga-68", "M", 77.7, 1.75, 60, decay="ADMIN"),
    case("g/ml without SUVType", "F-18", "M", 82.5, 1.81, 60, units="GML"),
    case("START, series made 2 h later, first bed absent", "F-18", "M", 82.5, 1.81, 60, series=7200.0, beds=range(1, BEDS)),
    case("START, date of injection 30 days too early", "F-18", "M", 82.5, 1.81, 60, moved=timedelta(days=-30)),
    case("g/ml, SUVType LBMJAMES128", "F-18", "M", 82.5, 1.81, 60, units="GML", type="LBMJAMES128"),
]
# What SUVType calls the kinds; body weight where it is absent.
TYPES = {None: "bw", "LBMJAMES128": "lbm"}


def mean_time(nuclide):
    """Seconds from the start of a frame to its average rate of counts."""
    decay = math.log(2) / HALF_LIFE[nuclide]
    return math.log(decay * FRAME / (1 - math.exp(-decay * FRAME))) / decay


def write(folder, made):
    folder.mkdir()
    generator = np.random.default_rng(7)
    reference = made["injection"] + timedelta(minutes=made["minutes"])
    series_time = reference + timedelta(seconds=made["series"])
    study, series, frame = (generate_uid() for _ in range(3))
    for number in range(SLICES_OF_BED * BEDS):
        bed = number // SLICES_OF_BED
        if bed not in made["beds"]:
            continue
        acquired = reference + timedelta(seconds=made["first"] + bed * FRAME)
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = PositronEmissionTomographyImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.Modality, image.PatientName, image.PatientID, image.Units = "PT", "Phantom", "1", made["units"]
        if made["type"]:
            image.SUVType = made["type"]
        image.PatientSex, image.PatientWeight, image.PatientSize = made["sex"], str(made["weight"]), str(made["height"])
        image.SeriesDate, image.SeriesTime = series_time.strftime("%Y%m%d"), series_time.strftime("%H%M%S.%f")
        image.AcquisitionDate, image.AcquisitionTime = acquired.strftime("%Y%m%d"), acquired.strftime("%H%M%S.%f")
        image.StudyDate, image.StudyTime = reference.strftime("%Y%m%d"), reference.strftime("%H%M%S")
        image.CorrectedImage, image.DecayCorrection = ["NORM", "ATTN", "DECY", "SCAT"], made["decay"]
        image.ActualFrameDuration = int(FRAME * 1000)
        image.FrameReferenceTime = f"{1000 * ((acquired - reference).total_seconds() + mean_time(made['nuclide'])):.6f}"
        tracer = Dataset()
        tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = "351200000", str(HALF_LIFE[made["nuclide"]])
        tracer.RadiopharmaceuticalStartTime = made["injection"].strftime("%H%M%S.%f")
        if made["date_time"]:
            tracer.RadiopharmaceuticalStartDateTime = (made["injection"] + made["moved"]).strftime("%Y%m%d%H%M%S.%f")
        image.RadiopharmaceuticalInformationSequence = [tracer]
        image.Rows = image.Columns = SIDE
        image.PixelSpacing, image.ImageOrientationPatient = [4, 4], [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient, image.SliceThickness, image.InstanceNumber = [-24, -24, 3 * number], 3, number + 1
        image.NumberOfSlices, image.ImageIndex = SLICES_OF_BED * len(made["beds"]), number + 1
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleSlope, image.RescaleIntercept = f"{generator.uniform(0.2, 3):.9f}", 0
        image.PixelData = generator.integers(1, 32767, (SIDE, SIDE)).astype("<i2").tobytes()
        image.save_as(folder / f"{number:02}.dcm", enforce_file_format=True)


def seconds(time):
    return int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:])


def moment(date, time):
    return (datetime.strptime(date, "%Y%m%d") - NOON).days * 86400.0 + seconds(time)


def norm(kind, image):
    """g, or cm² for the body surface; weight in kg, height in cm."""
    weight, height, male = float(image.PatientWeight), 100 * float(image.PatientSize), image.PatientSex == "M"
    if kind == "bw":
        return 1000 * weight
    if kind == "bsa":  # Du Bois 1916
        return 1e4 * 0.007184 * weight**0.425 * height**0.725
    if kind == "lbm":  # James 1976
        return 1000 * ((1.10 * weight - 128 * (weight / height) ** 2) if male else (1.07 * weight - 148 * (weight / height) ** 2))
    index = weight / (height / 100) ** 2  # Janmahasatian 2005
    return 1000 * 9270 * weight / (6680 + 216 * index if male else 8780 + 244 * index)


def by_hand(images, kind, made):
    first = min(moment(image.AcquisitionDate, image.AcquisitionTime) for image in images)
    slices = []
    for image in images:
        tracer = image.RadiopharmaceuticalInformationSequence[0]
        dose, half_life = float(tracer.RadionuclideTotalDose), float(tracer.RadionuclideHalfLife)
        if image.Units == "BQML" and image.DecayCorrection == "START":
            scan = moment(image.SeriesDate, image.SeriesTime)
            if scan > first:
                decay, frame = math.log(2) / half_life, float(image.ActualFrameDuration) / 1000
                mean = math.log(decay * frame / (1 - math.exp(-decay * frame))) / decay
                scan = moment(image.AcquisitionDate, image.AcquisitionTime) - float(image.FrameReferenceTime) / 1000 + mean
            # The date of the injection is not taken, midnight may lie between.
            elapsed = (scan - seconds(tracer.RadiopharmaceuticalStartTime)) % 86400
            assert abs(elapsed - 60 * made["minutes"]) < 1e-5, elapsed
            dose *= 2 ** (-elapsed / half_life)
        values = image.pixel_array.astype(float) * float(image.RescaleSlope) + float(image.RescaleIntercept)
        normalised = norm(TYPES[image.get("SUVType")], image) if image.Units == "GML" else dose
        slices.append(values * norm(kind, image) / normalised)
    return np.stack(slices)


def by_alnm(program, folder, kind):
    out = folder.with_suffix(f".{kind}.mha")
    done = subprocess.run([program, "convert", folder, out, "--suv", kind], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1].replace(str(folder), "SERIES"))
        return None
    return itk.array_from_image(itk.imread(str(out))).astype(float)


def by_mirp(folder, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = {"image_modality": "pet", "pet_suv_conversion": KINDS[kind][0]}
        found = extract_images(image=str(folder), **asked, image_export_format="native", write_images=False)
    return found[0][0][0].get_voxel_grid().astype(float)


def by_pysuv(images, kind):
    name = KINDS[kind][1]
    if name is None or images[0].Units != "BQML" or images[0].DecayCorrection != "START":
        return None
    return np.stack([pysuv.compute_suv(image, name) for image in images]) * (1e4 if kind == "bsa" else 1)


def difference(values, others):
    if values is None or others is None:
        return None
    if values.shape != others.shape:
        raise SystemExit(f"the shapes are {values.shape} and {others.shape}; they must be the same")
    return float(np.max(np.abs(values / others - 1)))


def shown(number):
    return "-" if number is None else f"{number:.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("alnm")
    program = parser.parse_args().alnm
    logging.disable(logging.WARNING)
    itk.ProcessObject.SetGlobalWarningDisplay(False)
    print(f"MIRP {version('mirp')}, pysuv {version('pysuv')}, pydicom {version('pydicom')}, numpy {version('numpy')}\n")
    print("| case | tracer | patient | kind | largest SUV | by hand | MIRP | pysuv | MIRP to hand |\n|---|---|---|---|---|---|---|---|---|")
    largest, wrong = {}, []
    with tempfile.TemporaryDirectory() as root:
        for number, made in enumerate(CASES):
            folder = Path(root) / f"case{number}"
            write(folder, made)
            images = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
            patient = f"{made['sex']} {made['weight']} kg {made['height']:.2f} m, {made['minutes']} min"
            name = f"| {made['name']} | {made['nuclide']} | {patient} |"
            for kind in KINDS:
                found, hand, mirp = by_alnm(program, folder, kind), by_hand(images, kind, made), by_mirp(folder, kind)
                figures = [difference(found, hand), difference(found, mirp), difference(found, by_pysuv(images, kind)), difference(mirp, hand)]
                print(f"{name} {kind} | {'refused' if found is None else f'{found.max():.5g}'} | " + " | ".join(map(shown, figures)) + " |", flush=True)
                largest.setdefault(name, []).append(figures)
                if found is not None and not figures[0] <= 1e-6:
                    wrong.append(f"{made['name']}, {kind}: largest value {found.max():.5g}, by hand {hand.max():.5g}, by MIRP {mirp.max():.5g}")
    print("\n| case | tracer | patient | by hand | MIRP | pysuv | MIRP to hand |\n|---|---|---|---|---|---|---|")
    for name, rows in largest.items():
        columns = ([figure for figure in column if figure is not None] for column in zip(*rows))
        print(f"{name} " + " | ".join(shown(max(column, default=None)) for column in columns) + " |")
    if wrong:
        sys.exit("\nalnm differs from the formula by hand:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
