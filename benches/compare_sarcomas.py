"""Compares the IBSI profile of `alnm extract` with what nine teams published for 51 soft-tissue sarcomas.

    python3 benches/compare_sarcomas.py target/release/alnm DATA_SETS ANALYSIS [OUT.csv]

DATA_SETS is a checkout of https://github.com/theibsi/data_sets, whose `ibsi_validation` holds CT, PET (SUV) and T1-weighted MR of
each patient with the contour GTV_Mass (CC BY 3.0), as NIfTI and as DICOM; what is not there is counted apart. ANALYSIS is a checkout
of https://github.com/theibsi/ibsi_1_data_analysis, whose `validation` holds the values of the validation phase, one R file a
team. The phase has no reference values, so the value that most teams share is taken for one: the median of the largest
group of teams whose values agree within 0.1 %, where it has three teams or more. Settings are those of the phase, which the
teams' diagnostics show: cubic interpolation to 1 mm (PET 3 mm) of all images and linear interpolation of masks, CT rounded
and resegmented to [-200, 200], others to [0, ∞); bins of 10 (PET 0.25), 0.1 for the intensity-volume histogram of PET and 1
for that of MR. Needs nothing but Python. With OUT.csv, writes every value that is compared."""
import collections
import csv
import gzip
import json
import math
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile

SAME = 1e-3
TEAMS = 3
MODALITIES = {
    "CT": {"spacing": 1.0, "round": True, "range": [-200.0, 200.0], "bins": 10.0, "ivh": None},
    "PET": {"spacing": 3.0, "round": False, "range": [0.0, None], "bins": 0.25, "ivh": 0.1},
    "MR_T1": {"spacing": 1.0, "round": False, "range": [0.0, None], "bins": 10.0, "ivh": 1.0},
}
FAMILIES = {
    "morph": "morphology", "loc": "local intensity", "stat": "statistics", "ih": "intensity histogram",
    "ivh": "intensity-volume histogram", "cm": "co-occurrence", "rlm": "run length", "szm": "size zone",
    "dzm": "distance zone", "ngt": "tone difference", "ngl": "dependence",
}


class Serialised:
    """What R's saveRDS writes (XDR form): vectors as lists, with their attributes where they have any."""

    def __init__(self, data):
        self.data, self.place, self.references = data, 0, []

    def integers(self, count):
        values = struct.unpack_from(f">{count}i", self.data, self.place)
        self.place += 4 * count
        return list(values)

    def integer(self):
        return self.integers(1)[0]

    def bytes(self, count):
        self.place += count
        return self.data[self.place - count : self.place]

    def start(self):
        assert self.bytes(2) == b"X\n", "the file is not in R's binary form"
        version = self.integer()
        self.integers(2)
        if version == 3:
            self.bytes(self.integer())
        return self.item()

    def item(self):
        flags = self.integer()
        kind, has_attributes, has_tag = flags & 255, flags & 0x200, flags & 0x400
        if kind == 254:
            return None
        if kind == 255:
            return self.references[(flags >> 8) - 1]
        if kind == 1:
            self.references.append(self.item())
            return self.references[-1]
        if kind == 2:
            attributes = self.item() if has_attributes else None
            name = self.item() if has_tag else None
            pairs = {name: self.item()}
            pairs.update(self.item() or {})
            return pairs if attributes is None else (pairs, attributes)
        if kind == 9:
            count = self.integer()
            return None if count == -1 else self.bytes(count).decode()
        if kind == 22:
            self.references.append("pointer")
            self.item(), self.item()
            return (None, self.item()) if has_attributes else None
        count = self.integer()
        if kind in (10, 13):
            values = self.integers(count)
        elif kind == 14:
            values = list(struct.unpack_from(f">{count}d", self.data, self.place))
            self.place += 8 * count
        elif kind in (16, 19):
            values = [self.item() for _ in range(count)]
        else:
            raise ValueError(f"a value of kind {kind} is not expected here")
        return (values, self.item()) if has_attributes else values


def team_values(path):
    """Team, patient, modality, tag and value of each row of a team's table."""
    columns, attributes = Serialised(gzip.decompress(path.read_bytes())).start()
    texts = lambda column: [column[1]["levels"][i - 1] for i in column[0]] if isinstance(column, tuple) else column
    table = dict(zip(attributes["names"], map(texts, columns)))
    return zip(table["team"], table["id"], table["modality"], table["tag"], table["value"])


def shared(values):
    """The median of the largest group of values that agree, with the size of the group."""
    values = sorted(value for value in values if math.isfinite(value))
    groups = [[other for other in values if abs(other - value) <= SAME * abs(value)] for value in values]
    largest = max(groups, key=len, default=[])
    return (statistics.median(largest), len(largest)) if largest else (math.nan, 0)


def profile(settings):
    bins = lambda width: "none" if width is None else {"fixed_bin_size": width}
    return {
        "interpolation": {"spacing": [settings["spacing"]] * 3, "image": "cubic", "mask": "linear"},
        "round_intensities": settings["round"],
        "resegmentation": {"range": settings["range"]},
        "discretisation": bins(settings["bins"]),
        "ivh_discretisation": bins(settings["ivh"]),
        "aggregations": ["3D_comb", "3D"],
    }


def main():
    program, images, analysis = sys.argv[1], pathlib.Path(sys.argv[2]) / "ibsi_validation", pathlib.Path(sys.argv[3])
    published = collections.defaultdict(dict)
    for table in sorted((analysis / "validation").glob("*/*.RDS")):
        for team, patient, modality, tag, value in team_values(table):
            if tag.split("_")[0] in FAMILIES and "_mask_" not in tag:
                published[modality, patient, tag][team] = value
    # One team counts its files from 1 to 102, of which the rest have no patient.
    teams = collections.defaultdict(set)
    for (_, patient, _), values in published.items():
        teams[patient].update(values)
    patients = sorted(patient for patient, of in teams.items() if len(of) >= TEAMS)
    absent, compared = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        for modality, settings in MODALITIES.items():
            parameters, cases = pathlib.Path(folder, f"{modality}.json"), pathlib.Path(folder, f"{modality}.csv")
            parameters.write_text(json.dumps(profile(settings)))
            rows = []
            for patient in patients:
                image, mask = (images / "nifti" / patient / f"{modality}_{kind}.nii.gz" for kind in ("image", "mask"))
                image = image if image.exists() else images / "dicom" / patient / modality / "image"
                if image.exists() and mask.exists():
                    rows.append((patient, image.resolve(), mask.resolve()))
                else:
                    absent[modality] += 1
            with open(cases, "w", newline="") as file:
                csv.writer(file).writerows([("Patient", "Image", "Mask"), *rows])
            command = [program, "extract", cases, "--profile", "ibsi", "--param", parameters, "--format", "json", "--verbosity", "2", "--keep-going"]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            for row in json.loads(output):
                for (of, patient, tag), teams in published.items():
                    if (of, patient) == (modality, row["Patient"]) and tag in row:
                        value, agreeing = shared(teams.values())
                        compared.append((modality, patient, tag, math.nan if row[tag] is None else float(row[tag]), value, agreeing))
    if len(sys.argv) > 4:
        with open(sys.argv[4], "w", newline="") as file:
            csv.writer(file).writerows([("modality", "patient", "tag", "value", "shared", "teams"), *compared])
    counts, apart = collections.defaultdict(lambda: [0, 0, 0, 0]), collections.defaultdict(list)
    for modality, patient, tag, value, expected, agreeing in compared:
        count = counts[FAMILIES[tag.split("_")[0]]]
        count[3] += agreeing < TEAMS
        if agreeing >= TEAMS:
            difference = abs(value - expected) / max(abs(expected), 1e-300)
            count[2] += 1
            count[0] += difference <= 0.001
            count[1] += difference <= 0.01
            if not difference <= 0.01:
                apart[tag, modality].append(difference)
    print(f"{'family':28}{'0.1 %':>8}{'1 %':>8}{'of':>8}  without three teams that agree")
    for family in FAMILIES.values():
        close, near, total, alone = counts[family]
        print(f"{family:28}{close:8}{near:8}{total:8}{alone:8}")
    print(f"{'all':28}" + "".join(f"{sum(count[place] for count in counts.values()):8}" for place in range(4)))
    print("more than 1 % from what three teams or more share (patients, median difference):")
    for (tag, modality), differences in sorted(apart.items(), key=lambda item: -len(item[1])):
        print(f"  {tag:32}{modality:6}{len(differences):4}  {statistics.median(differences):.2g}")
    for modality, number in sorted(absent.items()):
        print(f"no image or mask of {number} patients in {modality}")


if __name__ == "__main__":
    main()
