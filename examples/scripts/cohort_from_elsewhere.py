"""Makes a cohort folder from the images of the reference packs, which come from other tools and scanners than the simulated cohort.

    python3 examples/scripts/cohort_from_elsewhere.py ../shared/reference FOLDER
    cargo run --release --example reproduce_study -- --cohort FOLDER --quick --out out/elsewhere

Every number in the table is INVENTED, outcomes included, and cohort.toml says so in the cohort's name: phantoms, a brain, a breast, a CT
and a sarcoma have no axillary lymph nodes. What is shown is that files of other origin go through: DICOM series with RTSTRUCT contours,
NRRD and NIfTI, integers of several widths and floats, oblique and anisotropic grids, lesions of a few voxels and at the border, a
flat lesion, a two-dimensional image and masks on other grids. Each image makes several patients with smaller and larger outlines.
Needs SimpleITK and NumPy.
"""

import csv
import random
import shutil
import sys
from pathlib import Path

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


def write_outline(mask, change, path):
    """The outline as label 1, grown or shrunk by so many voxels; whether anything is left."""
    region = sitk.ReadImage(str(mask))
    if region.GetNumberOfComponentsPerPixel() > 1:
        region = sitk.VectorIndexSelectionCast(region, 0)
    labels = sitk.LabelShapeStatisticsImageFilter()
    labels.Execute(sitk.Cast(region, sitk.sitkUInt32))
    largest = max(labels.GetLabels(), key=labels.GetNumberOfPixels)
    region = sitk.Cast(region == largest, sitk.sitkUInt8)
    radius = [1] * region.GetDimension()
    region = sitk.BinaryDilate(region, radius) if change > 0 else sitk.BinaryErode(region, radius) if change < 0 else region
    sitk.WriteImage(region, str(path), True)
    return sitk.GetArrayViewFromImage(region).any()


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


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pack, folder = Path(sys.argv[1]), Path(sys.argv[2])
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
            elif not write_outline(mask, change, path):
                # An outline that vanishes stays in the table, as a problem to be found.
                print(f"{patient}: the shrunk outline is empty")
            image_path = copied(image, folder / "images", patient)
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
    with open(folder / "patients.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (folder / "cohort.toml").write_text(
        'name = "Images of reference packs with INVENTED outcomes and clinical values"\n'
        'training_centre = "here"\nvalidation_centres = ["there"]\nphase = 1\nlabel = 1\nproblems = "exclude"\n'
    )
    print(f"{len(rows)} patients from {len(list(outlines(pack)))} outlines; every outcome and clinical value is invented")


if __name__ == "__main__":
    main()
