"""Makes a cohort folder from the images of the reference packs, which come from other tools and scanners than the simulated cohort.

    python3 examples/scripts/cohort_from_elsewhere.py ../shared/reference FOLDER [--spreadsheet]
    cargo run --release --example reproduce_study -- --cohort FOLDER --quick --out out/elsewhere

Every number in the table is INVENTED, outcomes included, and cohort.toml says so in the cohort's name: phantoms, a brain, a breast, a CT
and a sarcoma have no axillary lymph nodes. What is shown is that files of other origin go through: DICOM series with RTSTRUCT contours,
NRRD and NIfTI, integers of several widths and floats, oblique and anisotropic grids, lesions of a few voxels and at the border, a
flat lesion, a two-dimensional image and masks on other grids. Each image makes several patients with smaller and larger outlines. No two patients
may have one image or one outline, so files get a little noise outside of the outline, another in each patient, and outlines lack one voxel.
With --spreadsheet the table is one as Excel saves it in Germany: UTF-16, semicolons, decimal commas, the hospital's own column names, units and codes,
dates instead of ages, and one value in twenty missing in six spellings; cohort.toml declares what nobody can guess.
Needs SimpleITK and NumPy.
"""

import argparse
import csv
import datetime
import random
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk

COLUMNS = ("patient centre alnm age_years mtd_cm sad_aln_cm pr er her2 ki67 subtype neutrophils lymphocytes monocytes wbc platelets "
           "image mask mask_reader2 scanner").split()
SUBTYPES = ["HER2+", "Luminal A", "Luminal B", "TNBC"]


def outlines(pack):
    """Image and mask of every pair in the packs, DICOM series first."""
    for folder in sorted((pack / "imaging/dicom").iterdir()):
        if (folder / "image").is_dir():
            yield f"{folder.name}_dicom", folder / "image", next((folder / "mask").glob("*.dcm"))
            yield f"{folder.name}_nifti", folder / "image.nii.gz", folder / "mask.nii.gz"
    for mask in sorted((pack / "radiomics/images").iterdir()):
        stem, _, kind = mask.name.split(".")[0].rpartition("_")
        if kind.startswith(("mask", "label")):
            image = next((pack / "radiomics/images").glob(f"{stem}_image.*"))
            yield f"{stem}_{kind}", image, mask
    for folder in sorted((pack / "imaging").iterdir()):
        masks = [folder / name for name in ("label.nrrd", "label_mask.nrrd") if (folder / name).exists()]
        if masks:
            yield f"{folder.name}_imaging", folder / "input.nrrd", masks[0]


def copied(source, folder, name):
    """The path of a copy of a file or folder."""
    target = folder / (name + ("" if source.is_dir() else "".join(source.suffixes)))
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    return target


def write_image(source, outline, path, number):
    """The image with noise of a hundredth of its spread outside of the outline, or everywhere where there is no outside."""
    image = sitk.ReadImage(str(source))
    voxels = sitk.GetArrayFromImage(image)
    noise = np.random.default_rng(number).normal(0.0, max(0.01 * float(voxels.std()), 1.0), voxels.shape)
    region = sitk.GetArrayFromImage(sitk.ReadImage(str(outline))) > 0
    if region.shape == voxels.shape and not region.all():
        noise[region] = 0.0
    noisy = voxels + noise
    if np.issubdtype(voxels.dtype, np.integer):
        limits = np.iinfo(voxels.dtype)
        noisy = np.clip(np.rint(noisy), limits.min, limits.max)
    noisy = sitk.GetImageFromArray(noisy.astype(voxels.dtype))
    noisy.CopyInformation(image)
    sitk.WriteImage(noisy, str(path))


def write_outline(mask, change, path, number):
    """The outline as label 1, grown or shrunk by so many voxels, without one of them; whether anything is left."""
    region = sitk.ReadImage(str(mask))
    if region.GetNumberOfComponentsPerPixel() > 1:
        region = sitk.VectorIndexSelectionCast(region, 0)
    labels = sitk.LabelShapeStatisticsImageFilter()
    labels.Execute(sitk.Cast(region, sitk.sitkUInt32))
    largest = max(labels.GetLabels(), key=labels.GetNumberOfPixels)
    region = sitk.Cast(region == largest, sitk.sitkUInt8)
    radius = [1] * region.GetDimension()
    region = sitk.BinaryDilate(region, radius) if change > 0 else sitk.BinaryErode(region, radius) if change < 0 else region
    voxels = sitk.GetArrayFromImage(region)
    inside = np.flatnonzero(voxels)
    # An outline of few voxels stays as it is.
    if len(inside) > 100:
        voxels.flat[inside[number % len(inside)]] = 0
    outline = sitk.GetImageFromArray(voxels)
    outline.CopyInformation(region)
    sitk.WriteImage(outline, str(path), True)
    return len(inside) > 0


def invented(generator, alnm):
    """A row of invented clinical values, a little different between invented outcomes."""
    neutrophils = round(generator.lognormvariate(1.2 + 0.3 * alnm, 0.35), 3)
    lymphocytes = round(generator.lognormvariate(0.6 - 0.2 * alnm, 0.3), 3)
    monocytes = round(generator.lognormvariate(-1.2, 0.3), 3)
    return {
        "age_years": round(generator.gauss(50 - 4 * alnm, 9)), "mtd_cm": round(generator.lognormvariate(0.7 + 0.4 * alnm, 0.4), 2),
        "sad_aln_cm": round(generator.lognormvariate(-0.7 + 0.6 * alnm, 0.5), 2), "pr": generator.randint(0, 1), "er": generator.randint(0, 1),
        "her2": generator.randint(0, 1), "ki67": generator.randint(0, 1), "subtype": generator.choice(SUBTYPES), "neutrophils": neutrophils,
        "lymphocytes": lymphocytes, "monocytes": monocytes, "wbc": round(neutrophils + lymphocytes + monocytes + 0.2, 3),
        "platelets": round(generator.gauss(240, 50)),
    }


# The hospital's names of the columns that cohort.toml maps, with units where they differ.
THEIRS = {
    "patient": ("Pat.-Nr.", None), "centre": ("Klinik", None), "alnm": ("Histologie LK", None), "mtd_cm": ("Tumorgröße [mm]", "mm"),
    "sad_aln_cm": ("LK Kurzachse", None), "neutrophils": ("Neutrophile", None), "lymphocytes": ("Lymphozyten", None),
    "monocytes": ("Monozyten", None), "wbc": ("Leukozyten [/µL]", "/µL"), "platelets": ("Thrombozyten", None), "birth_date": ("Geburtsdatum", None),
    "mri_date": ("MRT am", None), "blood_date": ("Blutentnahme am", None), "surgery_date": ("OP am", None), "ki67": ("Ki-67", None),
    "subtype": ("Subtyp", None), "image": ("Bild", None), "mask": ("Maske", None), "mask_reader2": ("Maske 2", None),
}
MAY_BE_MISSING = ("mtd_cm", "sad_aln_cm", "neutrophils", "lymphocytes", "monocytes", "wbc", "platelets", "her2", "subtype")
MARKERS = ("", "NA", "n.a.", "-", "?", "#N/A")
CODES = """
[codes]
alnm = { positive = ["pN1", "pN2"], negative = ["pN0"] }
er = { positive = ["positiv"], negative = ["negativ"] }
her2 = { positive = ["3+"], negative = ["0", "1+"], missing = ["2+"] }
ki67 = { threshold = 20 }
[codes.subtype]
"Luminal A" = ["LumA"]
"Luminal B" = ["LumB"]

[missing]
policy = "impute"
"""


def as_spreadsheet(rows, generator):
    """The rows in the hospital's columns and codes, and what cohort.toml has to say of them."""
    found = []
    for row in rows:
        surgery = datetime.date(2023, 3, 1) + datetime.timedelta(days=generator.randrange(400))
        born = surgery - datetime.timedelta(days=int(365.25 * int(row["age_years"])) + generator.randrange(1, 360))
        dates = {"birth_date": born, "mri_date": surgery - datetime.timedelta(days=generator.randrange(1, 14)),
                 "blood_date": surgery - datetime.timedelta(days=generator.randrange(0, 3)), "surgery_date": surgery}
        luminal = row["subtype"].startswith("Luminal")
        row = {**row, "alnm": generator.choice(["pN1", "pN2"]) if row["alnm"] else "pN0", "mtd_cm": round(10 * row["mtd_cm"], 1),
               "wbc": round(1000 * row["wbc"]), "er": "Positiv" if luminal else "NEGATIV", "pr": "1.0" if luminal else "0.0",
               "her2": "3+" if row["subtype"] == "HER2+" else generator.choice(["0", "1+"]),
               "ki67": f"{generator.randrange(5, 19) if row['subtype'] == 'Luminal A' else generator.randrange(20, 80)} %",
               "subtype": {"Luminal A": "LumA", "Luminal B": "lumb"}.get(row["subtype"], row["subtype"]),
               "image": str(row["image"]).replace("/", "\\"), **{name: date.strftime("%d.%m.%Y") for name, date in dates.items()}}
        del row["age_years"]
        for name in MAY_BE_MISSING:
            if generator.random() < 0.05:
                row[name] = generator.choice(MARKERS)
        for name in ("mtd_cm", "sad_aln_cm", "neutrophils", "lymphocytes", "monocytes"):
            row[name] = str(row[name]).replace(".", ",") if isinstance(row[name], float) else row[name]
        found.append({THEIRS.get(name, (name,))[0]: value for name, value in row.items()})
    columns = "".join(
        f'{ours} = "{theirs}"\n' if unit is None else f'{ours} = {{ column = "{theirs}", unit = "{unit}" }}\n'
        for ours, (theirs, unit) in THEIRS.items()
    )
    return found, f"\n[columns]\n{columns}{CODES}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--spreadsheet", action="store_true")
    options = parser.parse_args()
    pack, folder = options.pack, options.folder
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    generator = random.Random(20240607)
    rows = []
    for name, image, mask in outlines(pack):
        # Contours stay as they are in one patient; a DICOM mask cannot be grown or shrunk here.
        changes = [0] if mask.suffix == ".dcm" else [0, 1, -1]
        for change in changes:
            patient = f"{name}{ {0: '', 1: '_grown', -1: '_shrunk'}[change]}".replace("+", "")
            path = folder / "masks" / f"{patient}.nii.gz"
            if mask.suffix == ".dcm":
                path = copied(mask, folder / "masks", patient)
            elif not write_outline(mask, change, path, len(rows)):
                # An outline that vanishes stays in the table, as a problem to be found.
                print(f"{patient}: the shrunk outline is empty")
            if image.is_dir():
                image_path = copied(image, folder / "images", patient)
            else:
                image_path = folder / "images" / (patient + "".join(image.suffixes))
                write_image(image, path, image_path, len(rows))
            # The outcome is invented from the order of the rows; grown outlines are mostly called positive, so that features differ.
            alnm = int(generator.random() < {0: 0.5, 1: 0.8, -1: 0.2}[change])
            rows.append({"patient": patient, "centre": "here" if len(rows) % 3 else "there", "alnm": alnm, **invented(generator, alnm),
                         "image": image_path.relative_to(folder), "mask": path.relative_to(folder), "mask_reader2": "",
                         "scanner": ""})
    # Second outlines of a few training patients: the grown ones of the same images, which lie on the same grid.
    named = {row["patient"]: row for row in rows}
    for row in rows:
        other = named.get(row["patient"] + "_grown")
        if row["centre"] == "here" and other:
            row["mask_reader2"] = other["mask"]
    columns, declared, style, encoding = COLUMNS, "", {}, "utf-8"
    if options.spreadsheet:
        rows, declared = as_spreadsheet(rows, generator)
        columns, style, encoding = list(rows[0]), {"delimiter": ";"}, "utf-16"
    with open(folder / "patients.csv", "w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, columns, **style)
        writer.writeheader()
        writer.writerows(rows)
    (folder / "cohort.toml").write_text(
        'name = "Images of reference packs with INVENTED outcomes and clinical values"\n'
        'training_centre = "here"\nvalidation_centres = ["there"]\nphase = 1\nlabel = 1\nproblems = "exclude"\n'
        + declared, encoding="utf-8"
    )
    print(f"{len(rows)} patients from {len(list(outlines(pack)))} outlines; every outcome and clinical value is invented")


if __name__ == "__main__":
    main()
