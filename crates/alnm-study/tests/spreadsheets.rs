//! Tables as hospitals make them: a cohort folder with semicolons, decimal commas, UTF-16, the hospital's own column names,
//! codes and dates, and one value in twenty missing is loaded as it is; and each planted fault is told in one line, with the
//! patient or the column and what would fix it.

// A file that cannot be written must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use alnm_imaging::dicom::{Phase, SeriesAttributes, write_series};
use alnm_imaging::{Geometry, Image, Volume, write_image, write_mask};
use alnm_study::cohort::{self, Cohort, CohortProblems, Problem, ProblemWeight, check_lines};
use alnm_study::{BackboneSize, Study, StudySettings};
use ndarray::Array3;

const SIZE: [usize; 3] = [8, 8, 4];
const TRAINING: usize = 24;
const PATIENTS: usize = 40;
const DESCRIPTION: &str =
    "name = \"two hospitals\"\ntraining_centre = \"A\"\nvalidation_centres = [\"B\"]\nphase = 1\n";

/// A table as texts: a header and rows.
#[derive(Clone)]
struct Sheet {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    fn place(&self, column: &str) -> usize {
        self.header.iter().position(|name| name == column).unwrap()
    }

    fn row(&self, patient: &str) -> usize {
        self.rows.iter().position(|row| row[0] == patient).unwrap()
    }

    fn set(&mut self, patient: &str, column: &str, value: &str) {
        let (row, place) = (self.row(patient), self.place(column));
        self.rows[row][place] = value.to_owned();
    }

    fn get(&self, patient: &str, column: &str) -> String {
        self.rows[self.row(patient)][self.place(column)].clone()
    }

    /// Changes the cells of a column in the rows of a centre, or in all.
    fn change(&mut self, column: &str, centre: Option<&str>, change: impl Fn(usize, &str) -> String) {
        let (place, of_centre) = (self.place(column), self.place("centre"));
        for (index, row) in self.rows.iter_mut().enumerate() {
            if centre.is_none_or(|centre| row[of_centre] == centre) {
                row[place] = change(index, &row[place]);
            }
        }
    }

    fn scale(&mut self, column: &str, centre: Option<&str>, factor: f64) {
        self.change(column, centre, |_, cell| format!("{:.3}", cell.parse::<f64>().unwrap() * factor));
    }

    fn text(&self, separator: &str) -> String {
        let line = |cells: &Vec<String>| cells.join(separator) + "\n";
        std::iter::once(&self.header).chain(&self.rows).map(line).collect()
    }
}

fn id(index: usize) -> String {
    if index < TRAINING { format!("A{index:03}") } else { format!("B{:03}", index - TRAINING) }
}

/// Plausible patients, all numbers made from the index.
fn sheet() -> Sheet {
    let columns = [
        "patient",
        "centre",
        "alnm",
        "age_years",
        "mtd_cm",
        "sad_aln_cm",
        "pr",
        "er",
        "her2",
        "ki67",
        "subtype",
        "neutrophils",
        "lymphocytes",
        "monocytes",
        "wbc",
        "platelets",
        "image",
        "mask",
        "mask_reader2",
        "birth_date",
        "mri_date",
        "blood_date",
        "surgery_date",
    ];
    let row = |i: usize| {
        let of = |factor: usize, modulus: usize| ((i * factor) % modulus) as f64;
        let lymphocytes = 1.2 + 0.1 * of(5, 13);
        let neutrophils = lymphocytes * (1.3 + 0.2 * of(3, 7));
        let monocytes = 0.2 * lymphocytes;
        let is_triple_negative = i % 10 == 9;
        let flag = |value: bool| if value { "1" } else { "0" }.to_owned();
        let age = 35 + (i * 7) % 40;
        let number = |value: f64| format!("{value:.2}");
        vec![
            id(i),
            if i < TRAINING { "A" } else { "B" }.to_owned(),
            flag(i.is_multiple_of(2)),
            age.to_string(),
            number(1.05 + 0.1 * of(13, 37)),
            number(0.31 + 0.07 * of(11, 23)),
            flag(!is_triple_negative && !i.is_multiple_of(3)),
            flag(!is_triple_negative),
            flag(!is_triple_negative && i.is_multiple_of(4)),
            flag(!i.is_multiple_of(5)),
            if is_triple_negative { "TNBC" } else { "Luminal B" }.to_owned(),
            number(neutrophils),
            number(lymphocytes),
            number(monocytes),
            number(1.1 * (neutrophils + lymphocytes + monocytes)),
            (180 + (i * 17) % 41 * 5).to_string(),
            format!("images/{}.nii.gz", id(i)),
            format!("masks/{}.nii.gz", id(i)),
            String::new(),
            format!("{}-01-15", 2024 - age),
            "2024-06-05".to_owned(),
            "2024-06-13".to_owned(),
            "2024-06-15".to_owned(),
        ]
    };
    Sheet { header: columns.map(str::to_owned).to_vec(), rows: (0..PATIENTS).map(row).collect() }
}

fn geometry() -> Geometry {
    Geometry::axis_aligned(SIZE, [1.0, 1.0, 2.0]).unwrap()
}

/// Voxels by their place in raster order.
fn volume<T: Clone>(voxel: impl Fn(usize) -> T) -> Volume<T> {
    let [x, y, z] = SIZE;
    let voxels = Array3::from_shape_fn((z, y, x), |(k, j, i)| voxel(i + x * (j + y * k)));
    Volume::new(voxels, geometry()).unwrap()
}

/// The image of a patient, other than that of each other.
fn image(index: usize) -> Volume<u16> {
    volume(|place| ((place * (2 * index + 3)) % 251 + index) as u16)
}

/// The outline of a patient with a label, other than that of each other.
fn mask(index: usize, label: u32) -> Volume<u32> {
    volume(|place| if (70..90).contains(&place) || place == 100 + index { label } else { 0 })
}

fn write_images(folder: &Path) {
    fs::create_dir_all(folder.join("images")).unwrap();
    fs::create_dir_all(folder.join("masks")).unwrap();
    for index in 0..PATIENTS {
        write_image(folder.join(format!("images/{}.nii.gz", id(index))), &Image::U16(image(index))).unwrap();
        write_mask(folder.join(format!("masks/{}.nii.gz", id(index))), &mask(index, 1)).unwrap();
    }
}

fn study(folder: &Path) -> Study {
    Study::new(StudySettings {
        cohort: Some(folder.to_owned()),
        out: folder.join("unused"),
        weights: None,
        epochs: 1,
        backbone_size: BackboneSize::Tiny,
        resamples: 1,
        seed: 1,
        shuffle_outcomes: false,
        cross_fit_network: false,
        compare_backbones: false,
        backbone_weights: None,
        shows_identifiers: false,
        tiff: false,
    })
}

/// The cohort as `--check` sees it, or what stops it.
fn checked(folder: &Path) -> Result<(Cohort, Vec<String>), CohortProblems> {
    let mut study = study(folder);
    match study.checked_cohort() {
        Ok(cohort) => {
            let lines = check_lines(&cohort, &study.acquisitions);
            Ok((cohort, lines))
        }
        Err(error) => Err(error.downcast::<CohortProblems>().unwrap()),
    }
}

fn write(folder: &Path, description: &str, table: &[u8]) {
    fs::write(folder.join("cohort.toml"), description).unwrap();
    fs::write(folder.join("patients.csv"), table).unwrap();
}

#[test]
fn a_table_of_a_hospital_is_loaded_without_hand_work() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    write_images(folder);
    write(folder, DESCRIPTION, sheet().text(",").as_bytes());
    let (clean, _) = checked(folder).unwrap();
    assert_eq!((clean.patients.len(), clean.excluded.len()), (PATIENTS, 0));

    let mut own = sheet();
    own.scale("mtd_cm", None, 10.0);
    own.scale("platelets", None, 1000.0);
    own.change("ki67", None, |index, cell| format!("{} %", if cell == "1" { 20 + index } else { index % 20 }));
    own.change("her2", None, |_, cell| if cell == "1" { "3+" } else { "1+" }.to_owned());
    own.change("er", None, |_, cell| if cell == "1" { "Positiv" } else { "NEGATIV" }.to_owned());
    own.change("pr", None, |_, cell| if cell == "1" { "1.0" } else { "0.0" }.to_owned());
    own.change("alnm", None, |_, cell| if cell == "1" { "Yes" } else { "no" }.to_owned());
    own.change("subtype", None, |_, cell| cell.to_lowercase());
    own.change("image", None, |_, cell| cell.replace('/', "\\"));
    for column in ["birth_date", "mri_date", "blood_date", "surgery_date"] {
        own.change(column, None, |_, cell| {
            let parts: Vec<&str> = cell.split('-').collect();
            format!("{}.{}.{}", parts[2], parts[1], parts[0])
        });
    }
    // One value in twenty is missing, in many ways.
    let measured =
        ["mtd_cm", "sad_aln_cm", "neutrophils", "lymphocytes", "monocytes", "wbc", "platelets", "her2", "subtype"];
    let mut missing = 0;
    for (place, column) in measured.into_iter().enumerate() {
        own.change(column, None, |index, cell| {
            let marks = ["", "NA", "n.a.", "-", "?", "#N/A"];
            if (7 * index + 3 * place) % 20 == 0 { marks[index % 6].to_owned() } else { cell.to_owned() }
        });
        missing += (0..PATIENTS).filter(|index| (7 * index + 3 * place) % 20 == 0).count();
    }
    assert!((0.04..0.06).contains(&(missing as f64 / (PATIENTS * measured.len()) as f64)));
    for column in ["mtd_cm", "sad_aln_cm", "neutrophils", "lymphocytes", "monocytes", "wbc"] {
        own.change(column, None, |_, cell| {
            if cell.chars().any(|c| c.is_ascii_digit()) { cell.replace('.', ",") } else { cell.to_owned() }
        });
    }
    for (name, theirs) in [
        ("patient", "Pat.-Nr."),
        ("centre", "ZENTRUM"),
        ("alnm", "pN+"),
        ("age_years", "Alter"),
        ("mtd_cm", "Größe [mm]"),
        ("sad_aln_cm", "SAD ALN (cm)"),
        ("platelets", "Thrombozyten"),
        ("ki67", "Ki-67"),
    ] {
        let place = own.place(name);
        own.header[place] = theirs.to_owned();
    }
    let text = format!("sep=;\r\n{}{}\r\n\r\n", own.text(";").replace('\n', "\r\n"), ";".repeat(own.header.len() - 1));
    let bytes: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let description = format!(
        "{DESCRIPTION}{}",
        r#"
[columns]
patient = "Pat.-Nr."
centre = "Zentrum"
alnm = "pN+"
age_years = "Alter"
mtd_cm = { column = "Größe [mm]", unit = "mm" }
platelets = { column = "Thrombozyten", unit = "/µL" }
[codes]
her2 = { positive = ["3+"], negative = ["0", "1+"], missing = ["2+"] }
er = { positive = ["positiv"], negative = ["negativ"] }
ki67 = { threshold = 20 }
[missing]
policy = "impute"
"#
    );
    write(folder, &description, &bytes);
    let (cohort, lines) = checked(folder).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(cohort.patients.len(), PATIENTS);
    for (found, expected) in cohort.patients.iter().zip(&clean.patients) {
        assert_eq!((&found.id, found.alnm, &found.centre), (&expected.id, expected.alnm, &expected.centre));
        assert_eq!((found.age_years, &found.image, found.dates), (expected.age_years, &expected.image, expected.dates));
        assert_eq!(
            (found.markers.er, found.markers.pr, found.markers.ki67),
            (expected.markers.er, expected.markers.pr, expected.markers.ki67)
        );
        for (found, expected) in [
            (found.mtd_cm, expected.mtd_cm),
            (found.blood.platelets, expected.blood.platelets),
            (found.blood.wbc, expected.blood.wbc),
        ] {
            assert!(found.is_nan() || (found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }
    let said = lines.join("\n");
    for words in [
        "UTF-16 (little-endian) with byte-order mark, cells separated by semicolons (its first line says so), 1 empty row passed over",
        "patient from `Pat.-Nr.`",
        "column mtd_cm (`Größe [mm]`): 38 values with decimal commas",
        "column mtd_cm (`Größe [mm]`): values times 0.1, to cm",
        "column er: `NEGATIV` as 0, `Positiv` as 1 read",
        "column ki67 (`Ki-67`): positive from 20 % on",
        "column image: backslashes of 40 paths read as slashes",
        "values not known, of 40 patients: mtd_cm 2",
        "training, centre A: 24",
        "centre B, spacing (mm): 1.00 x 1.00 x 2.00 (16)",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
}

#[test]
fn a_quality_sheet_shows_every_patient_on_one_page() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    write_images(folder);
    write(folder, DESCRIPTION, sheet().text(",").as_bytes());
    let mut study = study(folder);
    let cohort = study.checked_cohort().unwrap();
    let path = folder.join("quality.html");
    study.quality_sheet(&cohort, &path).unwrap();
    let page = fs::read_to_string(path).unwrap();
    assert_eq!(page.matches("<section id=").count(), PATIENTS);
    assert_eq!(page.matches("href='data:image/png").count(), PATIENTS);
    assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/").count(), "the page is self-contained");
}

/// A fault: its name, what is done to the folder, and words of the one line that tells it.
struct Planted {
    name: &'static str,
    plant: fn(&Path, &mut Sheet, &mut String),
    words: &'static [&'static str],
}

const fn fault(
    name: &'static str,
    plant: fn(&Path, &mut Sheet, &mut String),
    words: &'static [&'static str],
) -> Planted {
    Planted { name, plant, words }
}

fn add(description: &mut String, text: &str) {
    description.push_str(text);
    description.push('\n');
}

/// Faults of the table and the description.
const FAULTS: &[Planted] = &[
    fault(
        "both decimal marks",
        |_, s, _| s.set("A003", "mtd_cm", "\"1,25\""),
        &["column mtd_cm", "1 value with decimal commas beside 39 values with decimal points", "[table] decimal"],
    ),
    fault(
        "a column twice",
        |_, s, _| {
            s.header.push("Age_Years".into());
            s.rows.iter_mut().for_each(|r| r.push("99".into()));
        },
        &["column age_years", "2 times (columns 4, 24)", "keep one of them"],
    ),
    fault(
        "a column lacking",
        |_, s, _| s.header[4] = "size".into(),
        &["the header lacks mtd_cm", "[columns]", "`size`"],
    ),
    fault(
        "a mapped column that is not there",
        |_, _, d| add(d, "[columns]\nmtd_cm = \"Groesse\""),
        &["columns.mtd_cm", "no column `Groesse`", "the table has"],
    ),
    fault(
        "an unknown unit",
        |_, _, d| add(d, "[columns]\nmtd_cm = { column = \"mtd_cm\", unit = \"inch\" }"),
        &["columns.mtd_cm", "`inch`", "cm, mm"],
    ),
    fault(
        "a mapping of nothing",
        |_, _, d| add(d, "[columns]\nmtdcm = \"x\""),
        &["columns.mtdcm", "no column `mtdcm`", "the columns are patient"],
    ),
    fault(
        "millimetres",
        |_, s, _| s.scale("mtd_cm", None, 10.0),
        &["column mtd_cm", "centre `A`", "centre `B`", "in mm", "unit = \"mm\""],
    ),
    fault(
        "millimetres in one centre",
        |_, s, _| s.scale("sad_aln_cm", Some("B"), 10.0),
        &["column sad_aln_cm", "16 values of centre `B`", "in mm", "unit = \"mm\""],
    ),
    fault(
        "another unit in one centre",
        |_, s, _| s.scale("monocytes", Some("B"), 0.1),
        &["column monocytes", "centre `A`", "centre `B`", "in all centres"],
    ),
    fault(
        "an implausible value",
        |_, s, _| s.set("A004", "mtd_cm", "31"),
        &["patient A004, column mtd_cm", "31 is implausible", "0.1 to 25 cm"],
    ),
    fault(
        "a word for a number",
        |_, s, _| s.set("A005", "age_years", "fifty"),
        &["patient A005, column age_years", "`fifty`", "write years"],
    ),
    fault(
        "a number made a date",
        |_, s, _| s.set("A006", "mtd_cm", "02. Mai"),
        &["patient A006, column mtd_cm", "made a date", "write cm"],
    ),
    fault(
        "a failed formula",
        |_, s, _| s.set("B001", "wbc", "#DIV/0!"),
        &["patient B001, column wbc", "a formula", "write 10^9/L"],
    ),
    fault(
        "cells per microlitre",
        |_, s, _| s.scale("neutrophils", None, 1000.0),
        &["column neutrophils", "all 40 values are implausible", "[columns]"],
    ),
    fault(
        "words for a whole column",
        |_, s, _| s.change("platelets", None, |_, _| "many".into()),
        &["column platelets", "all 40 values are not numbers", "`many`", "write 10^9/L"],
    ),
    fault(
        "exchanged columns",
        |_, s, _| s.header.swap(11, 12),
        &["columns neutrophils, lymphocytes", "fewer neutrophils", "exchanged"],
    ),
    fault(
        "too few leucocytes",
        |_, s, _| s.set("A007", "wbc", "2.1"),
        &["patient A007, column wbc", "less than neutrophils", "check the counts"],
    ),
    fault(
        "counts in percent",
        |_, s, _| {
            for (c, v) in [("neutrophils", "58"), ("lymphocytes", "31"), ("monocytes", "6")] {
                s.change(c, None, |i, _| format!("{v}.{}", i % 7));
            }
        },
        &["columns neutrophils to wbc", "all 40 rows", "percent"],
    ),
    fault(
        "leucocytes in another unit",
        |_, s, _| s.scale("wbc", None, 6.0),
        &["columns neutrophils to wbc", "in the median", "units"],
    ),
    fault(
        "no code for the outcome",
        |_, s, _| s.set("A008", "alnm", "maybe"),
        &["patient A008, column alnm", "`maybe` is neither 1 nor 0", "codes"],
    ),
    fault(
        "a missing outcome",
        |_, s, _| s.set("A008", "alnm", "NA"),
        &["patient A008, column alnm", "missing", "write 1"],
    ),
    fault(
        "scores of HER2",
        |_, s, _| s.change("her2", None, |i, _| ["0", "1+", "2+", "3+"][i % 4].into()),
        &["column her2", "all 40 values are scores or percentages", "positive = [\"3+\"]"],
    ),
    fault(
        "percentages of Ki-67",
        |_, s, _| s.change("ki67", None, |i, _| (i % 60).to_string()),
        &["column ki67", "scores or percentages", "threshold = 20"],
    ),
    fault(
        "shares of Ki-67",
        |_, s, d| {
            s.change("ki67", None, |i, _| format!("0.{}", i % 7));
            add(d, "[codes]\nki67 = { threshold = 20 }");
        },
        &["column ki67", "no value is above 1", "write percentages"],
    ),
    fault(
        "minus beside plus",
        |_, s, _| s.change("er", None, |_, c| if c == "1" { "+" } else { "-" }.into()),
        &["column er", "`-` stands beside `+`", "negative = [\"-\"]"],
    ),
    fault(
        "a subtype against the receptors",
        |_, s, _| s.set("A009", "er", "1"),
        &["patient A009, column subtype", "TNBC with ER positive", "correct"],
    ),
    fault(
        "subtypes against the receptors",
        |_, s, _| s.change("subtype", None, |_, _| "TNBC".into()),
        &["column subtype", "of 40 rows the subtype contradicts", "check the columns"],
    ),
    fault(
        "an unknown subtype",
        |_, s, _| s.set("A010", "subtype", "Luminal C"),
        &["patient A010, column subtype", "`Luminal C`", "[codes.subtype]"],
    ),
    fault(
        "an identifier twice",
        |_, s, _| s.set("A012", "patient", "A011"),
        &["patient A011, column patient", "occurs twice", "one row"],
    ),
    fault(
        "an identifier in other case",
        |_, s, _| s.set("A012", "patient", "a011"),
        &["patient a011, column patient", "`A011`", "different identifiers"],
    ),
    fault(
        "an identifier with a blank",
        |_, s, _| s.set("A012", "patient", "Mia Z"),
        &["column patient", "`Mia Z` is no identifier", "letters"],
    ),
    fault(
        "one patient under two identifiers",
        |_, s, _| {
            for c in [
                "age_years",
                "mtd_cm",
                "sad_aln_cm",
                "neutrophils",
                "lymphocytes",
                "monocytes",
                "wbc",
                "platelets",
                "birth_date",
            ] {
                let v = s.get("A001", c);
                s.set("B002", c, &v);
            }
        },
        &["patient B002, columns age_years to platelets", "patient A001", "keep one row"],
    ),
    fault(
        "an unknown centre",
        |_, s, _| s.set("B003", "centre", "C"),
        &["patient B003, column centre", "`C`", "cohort.toml"],
    ),
    fault(
        "a centre spelt otherwise",
        |_, s, _| s.change("centre", Some("B"), |_, _| "Klinik B".into()),
        &["column centre", "`Klinik B`", "16 patients", "spell it alike"],
    ),
    fault(
        "an image that is not there",
        |_, s, _| s.set("A013", "image", "images/A13.nii.gz"),
        &["patient A013, column image", "does not exist", "relative to the cohort folder"],
    ),
    fault(
        "a path with backslashes",
        |_, s, _| s.set("A013", "mask", "masks\\A13.nii.gz"),
        &["patient A013, column mask", "backslashes", "with slashes"],
    ),
    fault(
        "images of another computer",
        |_, s, _| s.change("image", None, |_, c| format!("D:\\study\\{c}")),
        &["column image", "all 40 values do not exist", "backslashes", "relative to the cohort folder"],
    ),
    fault(
        "a path that is empty",
        |_, s, _| s.set("A014", "image", ""),
        &["patient A014, column image", "empty", "give a path"],
    ),
    fault(
        "one image in two centres",
        |_, s, _| s.set("B004", "image", "images/A006.nii.gz"),
        &["patients A006 (A) and B004 (B)", "same path", "the own image"],
    ),
    fault(
        "one outline for two readers",
        |_, s, _| s.set("A015", "mask_reader2", "masks/A015.nii.gz"),
        &["patient A015, mask masks/A015.nii.gz", "equals the first reader's", "second reader's own"],
    ),
    fault(
        "an MRI after the surgery",
        |_, s, _| s.set("A018", "mri_date", "2024-06-18"),
        &["patient A018, column mri_date", "3 days after the surgery", "check mri_date"],
    ),
    fault(
        "a day that is none",
        |_, s, _| s.set("A018", "mri_date", "2024-02-31"),
        &["patient A018, column mri_date", "no such day", "year-month-day"],
    ),
    fault(
        "day or month first",
        |_, s, _| s.change("mri_date", None, |_, _| "05/06/2024".into()),
        &["column mri_date", "none tells which", "[table] dates"],
    ),
    fault(
        "serial numbers of days",
        |_, s, _| s.change("blood_date", None, |_, _| "45456".into()),
        &["column blood_date", "all 40 values", "number of a day", "year-month-day"],
    ),
    fault(
        "an age against the day of birth",
        |_, s, _| s.set("A019", "birth_date", "1931-01-15"),
        &["patient A019, column age_years", "by birth_date", "correct"],
    ),
    fault(
        "a missing count",
        |_, s, _| s.set("A020", "platelets", "?"),
        &["patient A020, column platelets", "missing", "policy"],
    ),
    fault(
        "a column that nobody has",
        |_, s, d| {
            s.change("platelets", None, |_, _| String::new());
            add(d, "[missing]\npolicy = \"impute\"");
        },
        &["column platelets", "every value is missing", "fill the column in"],
    ),
    fault(
        "a column that most lack",
        |_, s, d| {
            s.change("sad_aln_cm", None, |i, c| if i % 3 == 0 { c.into() } else { String::new() });
            add(d, "[missing]\npolicy = \"impute\"");
        },
        &["column sad_aln_cm", "of 40 values are missing", "at least half"],
    ),
    fault(
        "a column without variation",
        |_, s, _| s.change("sad_aln_cm", Some("A"), |_, _| "0.5".into()),
        &["column sad_aln_cm", "all 24 values of the training centre are 0.5", "learns nothing"],
    ),
    fault(
        "a quotation mark",
        |_, s, _| s.set("A021", "subtype", "\"Luminal B"),
        &["patients.csv, line 23", "quotation mark", "close it"],
    ),
    fault(
        "a row too short",
        |_, s, _| s.rows[22].truncate(7),
        &["patients.csv, line 24", "7 cells", "add the missing cells"],
    ),
    fault(
        "unquoted decimal commas",
        |_, s, _| s.change("mtd_cm", None, |_, c| c.replace('.', ",")),
        &["patients.csv", "40 of 40 rows have 24 cells", "quote cells"],
    ),
    fault(
        "an unknown word of the description",
        |_, _, d| add(d, "[missing]\npolice = \"impute\""),
        &["cohort.toml", "police", "write name"],
    ),
];

/// Faults of files.
const FILE_FAULTS: &[Planted] = &[
    fault(
        "a copy of an image",
        |f, _, _| drop(fs::copy(f.join("images/A006.nii.gz"), f.join("images/B004.nii.gz"))),
        &["patients A006 (A) and B004 (B)", "byte by byte", "the own image"],
    ),
    fault(
        "the voxels of an image in another format",
        |f, s, _| {
            write_image(f.join("images/B.nrrd"), &Image::F32(image(6).cast())).unwrap();
            s.set("B004", "image", "images/B.nrrd");
        },
        &["patients A006 (A) and B004 (B)", "voxel by voxel", "the own image"],
    ),
    fault(
        "one series in two centres",
        |f, s, _| {
            for (index, patient) in [(6, "A006"), (28, "B004")] {
                let attributes = SeriesAttributes::new(patient, "T1").with_series_uid("1.2.3.4");
                let path = format!("images/{patient}");
                fs::create_dir(f.join(&path)).unwrap();
                write_series(f.join(&path), &[Phase::new(image(index), 0.0)], &attributes).unwrap();
                s.set(patient, "image", &path);
            }
        },
        &["patients A006 (A) and B004 (B)", "SeriesInstanceUID, 1.2.3.4", "the own image"],
    ),
    fault(
        "a copy of an outline",
        |f, _, _| write_mask(f.join("masks/B004.nii.gz"), &mask(6, 1)).unwrap(),
        &["patients A006 (A) and B004 (B)", "masks are equal", "the own outline"],
    ),
    fault(
        "another label",
        |f, _, _| write_mask(f.join("masks/A016.nii.gz"), &mask(16, 3)).unwrap(),
        &["patient A016, mask", "no voxel has label 1; it has 3", "cohort.toml"],
    ),
    fault(
        "a mask on another grid",
        |f, _, _| {
            let grid = Geometry::axis_aligned(SIZE, [1.0, 1.0, 3.0]).unwrap();
            write_mask(f.join("masks/A017.nii.gz"), &Volume::filled(grid, 1)).unwrap();
        },
        &["patient A017, mask", "grid is not the image's", "outline"],
    ),
];

#[test]
fn planted_faults_are_each_told_in_one_line_with_place_and_cure() {
    const { assert!(FAULTS.len() + FILE_FAULTS.len() >= 30) };
    let root = tempfile::tempdir().unwrap();
    let shared = root.path().join("shared");
    write_images(&shared);
    let mut wrong = Vec::new();
    let of_files =
        FILE_FAULTS.iter().enumerate().map(|(number, planted)| (root.path().join(number.to_string()), planted));
    for (folder, Planted { name, plant, words }) in
        FAULTS.iter().map(|planted| (shared.clone(), planted)).chain(of_files)
    {
        if folder != shared {
            write_images(&folder);
        }
        let (mut sheet, mut description) = (sheet(), DESCRIPTION.to_owned());
        plant(&folder, &mut sheet, &mut description);
        write(&folder, &description, sheet.text(",").as_bytes());
        match checked(&folder) {
            Ok(_) => wrong.push(format!("{name}: silent")),
            Err(CohortProblems { problems, .. }) => {
                let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
                if lines.len() != 1 || !words.iter().all(|word| lines[0].contains(word)) {
                    wrong.push(format!("{name}: {words:?} in\n    {}", lines.join("\n    ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_workbook_is_named_as_one() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), DESCRIPTION, b"PK\x03\x04\0\0");
    let problems = cohort::load(root.path()).unwrap_err().to_string();
    assert!(problems.contains("workbook (.xlsx or .ods)") && problems.contains("save the sheet as CSV"), "{problems}");
}

#[test]
fn the_same_image_stops_the_study_also_where_problems_exclude() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    write_images(folder);
    // The same voxels in another file: headers cannot tell.
    write_image(folder.join("images/B.nrrd"), &Image::F32(image(6).cast())).unwrap();
    let mut table = sheet();
    table.set("B004", "image", "images/B.nrrd");
    write(folder, &format!("{DESCRIPTION}problems = \"exclude\"\n"), table.text(",").as_bytes());
    let expected = "patients A006 (A) and B004 (B): their images are equal, voxel by voxel";
    assert!(checked(folder).unwrap_err().to_string().contains(expected));
    let mut run = study(folder);
    run.settings.out = root.path().join("out");
    let cohort = run.cohort().unwrap();
    let error = run.images(cohort).unwrap_err();
    assert!(error.downcast_ref::<CohortProblems>().unwrap().to_string().contains(expected), "{error}");
}

#[test]
fn rules_of_inclusion_leave_patients_out_and_say_so() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    write_images(folder);
    let mut table = sheet();
    table.set("A001", "mri_date", "2024-05-31");
    table.set("A002", "blood_date", "2024-06-11");
    table.set("A003", "age_years", "17");
    table.set("A003", "birth_date", "2007-01-15");
    table.set("B001", "mri_date", "2024-05-20");
    // Who does not belong into the study does not stop it.
    table.set("B001", "image", "images/absent.nii.gz");
    write(folder, DESCRIPTION, table.text(",").as_bytes());
    let (cohort, lines) = checked(folder).unwrap_or_else(|problems| panic!("{problems}"));
    let excluded: Vec<&str> = cohort.excluded.iter().map(|one| one.patient.as_str()).collect();
    assert_eq!(excluded, ["A001", "A002", "A003", "B001"]);
    assert!(cohort.excluded.iter().all(|one| one.problems.iter().any(|p| p.weight == ProblemWeight::NotEligible)));
    let flow = cohort.flow();
    let of = |group: &str| flow.iter().find(|(name, _)| name == group).map(|(_, count)| *count);
    assert_eq!(of("excluded, inclusion, MRI within 14 days before surgery"), Some(2));
    assert_eq!(of("excluded, inclusion, blood within 3 days before surgery"), Some(1));
    assert_eq!(of("excluded, inclusion, age of 18 years or more"), Some(1));
    assert!(lines.iter().any(|line| {
        line.contains("patient A001, inclusion, MRI within 14 days before surgery: it was 15 days before")
    }));
}

#[test]
fn missing_values_refuse_exclude_or_stay_and_those_no_model_uses_leave_nobody_out() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    write_images(folder);
    let mut table = sheet();
    table.set("A001", "platelets", "NA");
    table.set("A002", "her2", "");
    table.set("A003", "subtype", "n.a.");
    let run = |policy: &str| {
        let text = if policy.is_empty() { String::new() } else { format!("[missing]\npolicy = \"{policy}\"\n") };
        write(folder, &format!("{DESCRIPTION}{text}"), table.text(",").as_bytes());
        checked(folder)
    };
    for policy in ["", "refuse"] {
        let problems = run(policy).unwrap_err().problems;
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].patient.as_deref(), Some("A001"));
    }
    let (cohort, _) = run("exclude").unwrap();
    assert_eq!(cohort.excluded.iter().map(|one| one.patient.as_str()).collect::<Vec<_>>(), ["A001"]);
    assert_eq!(cohort.flow()[2], ("excluded, missing values".to_owned(), 1));
    let (cohort, _) = run("impute").unwrap();
    assert_eq!((cohort.patients.len(), cohort.excluded.len()), (PATIENTS, 0));
    assert!(cohort.patients[1].blood.platelets.is_nan() && cohort.patients[2].markers.her2.is_none());
}
