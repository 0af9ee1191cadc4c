//! A cohort folder with two validation centres goes through the whole study: both stand in every table and figure, each
//! figure is there as SVG, PNG and CSV, and published figures stand nowhere.

// What cannot be read must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use alnm_examples::simulation::Simulation;
use alnm_study::Progress;

/// A simulated cohort whose validation patients are dealt out to two centres.
fn write_cohort(folder: &Path) {
    Simulation::reduced(80, 5).unwrap().write(folder, &Progress::silent().begin("simulated cohort", 0)).unwrap();
    let edit = |name: &str, change: &dyn Fn(String) -> String| {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, change(text)).unwrap();
    };
    edit("cohort.toml", &|text| text.replace("[\"centre_b\"]", "[\"centre_b\", \"centre_c\"]"));
    edit("patients.csv", &|text| {
        let deal = |(row, line): (usize, &str)| {
            if row % 2 == 0 { line.replace("centre_b", "centre_c") } else { line.to_owned() }
        };
        text.lines().enumerate().map(deal).map(|line| line + "\n").collect()
    });
}

/// The example, which is built with the tests.
fn reproduce_study() -> Command {
    let tests = std::env::current_exe().unwrap();
    let built: PathBuf = tests.parent().and_then(Path::parent).unwrap().join("examples").join("reproduce_study");
    Command::new(built)
}

#[test]
fn two_validation_centres_stand_in_all_tables_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let (cohort, out) = (folder.path().join("cohort"), folder.path().join("out"));
    write_cohort(&cohort);
    let run = reproduce_study()
        .args(["--quick", "--epochs", "1", "--cohort"])
        .arg(&cohort)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(!String::from_utf8_lossy(&run.stdout).contains("published"));
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    for centre in ["centre_b", "centre_c"] {
        for table in ["calibration", "delong", "net_benefit", "optimism", "patient_flow", "risks", "subgroups"] {
            assert!(text(&format!("tables/{table}.csv")).contains(centre), "{table} without {centre}");
        }
        assert_eq!(text(&format!("tables/table3_{centre}.csv")).lines().count(), 11, "a header and ten models");
        for figure in ["figure5_roc", "figure6_calibration", "figure7_decision"] {
            assert!(text(&format!("figures/{figure}_{centre}.svg")).contains(centre));
        }
    }
    let mut figures = 0;
    for entry in fs::read_dir(out.join("figures")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            figures += 1;
            assert!(path.with_extension("csv").exists(), "{} without its data", path.display());
            let picture = fs::read(path.with_extension("png")).unwrap();
            let side = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
            assert!(picture.starts_with(b"\x89PNG") && side(16) == 1380 && side(20) > 300, "{}", path.display());
        }
    }
    assert!(figures >= 25, "{figures} figures");
    let page = text("report.html");
    assert!(page.contains("centre_c") && !page.contains("published AUC"));
    assert_eq!(
        page.matches("http").count(),
        page.matches("http://www.w3.org/2000/svg").count(),
        "the page asks the network for nothing"
    );
    for table in ["table1", "table3_training", "table3_centre_b"] {
        assert!(!text(&format!("tables/{table}.csv")).contains("published"), "{table}");
    }
}
