//! `alnm fetch`: studies of a PACS into a folder.

use std::path::PathBuf;

use alnm_pacs::{
    AttributeMatch, DicomWeb, FetchChoice, FetchFolder, FetchParams, FetchReport, FoundStudy, PacsError, StudyQuery,
    StudyQueryParams,
};
use anyhow::{Context, Result, bail, ensure};

use super::server::ServerOptions;
use super::transfer::Transfer;
use crate::output::{print, refuse_stream, require_folder};

/// Fetch studies from a PACS by DICOMweb into a folder, as STUDY/SERIES/OBJECT.dcm. What lies there whole is not
/// fetched again, so that the same command goes on after an interruption.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm fetch https://pacs.example.org/dicom-web --list --patient-id P001
  alnm fetch https://pacs.example.org/dicom-web images --date 20240101-20241231 --modality MR --user anna --password-file pw
  alnm fetch https://pacs.example.org/dicom-web images --study 1.2.840.113619.2.1 --token-env PACS_TOKEN --ca hospital.pem")]
pub(crate) struct Fetch {
    /// Address of the DICOMweb services, for instance https://pacs.example.org/dicom-web.
    #[arg(value_name = "SERVER")]
    server: String,
    /// Folder for the objects.
    #[arg(value_name = "FOLDER", required_unless_present = "list", conflicts_with = "list")]
    folder: Option<PathBuf>,
    /// Print the studies that are found, as CSV, and fetch nothing.
    #[arg(long)]
    list: bool,
    /// A study by its StudyInstanceUID; may be given several times.
    #[arg(long, value_name = "UID", help_heading = "Studies")]
    study: Vec<String>,
    /// Studies of a patient; * and ? stand for any characters here and below.
    #[arg(long, value_name = "ID", help_heading = "Studies")]
    patient_id: Option<String>,
    /// Studies of patients of this name.
    #[arg(long, value_name = "NAME", help_heading = "Studies")]
    patient_name: Option<String>,
    /// Studies of an accession number.
    #[arg(long, value_name = "NUMBER", help_heading = "Studies")]
    accession: Option<String>,
    /// Studies of a day, YYYYMMDD, or of days from and to, YYYYMMDD-YYYYMMDD.
    #[arg(long, value_name = "DATE", help_heading = "Studies")]
    date: Option<String>,
    /// Studies of this description.
    #[arg(long, value_name = "TEXT", help_heading = "Studies")]
    description: Option<String>,
    /// Studies in which an attribute has a value, by its keyword: ReferringPhysicianName=Roe*; may be given several
    /// times.
    #[arg(long = "match", value_name = "KEYWORD=VALUE", value_parser = attribute_match, help_heading = "Studies")]
    matches: Vec<AttributeMatch>,
    /// Studies with series of this modality, and of them these series alone.
    #[arg(long, value_name = "MODALITY", help_heading = "Studies")]
    modality: Option<String>,
    /// All studies of the server.
    #[arg(long, help_heading = "Studies")]
    all: bool,
    /// At most so many studies.
    #[arg(long, value_name = "N", help_heading = "Studies")]
    most: Option<usize>,
    /// A series by its SeriesInstanceUID; may be given several times. Others of the studies are not fetched.
    #[arg(long, value_name = "UID", help_heading = "Studies")]
    series: Vec<String>,
    #[command(flatten)]
    options: ServerOptions,
}

fn attribute_match(text: &str) -> Result<AttributeMatch, String> {
    let (keyword, value) = text.split_once('=').ok_or("it has to be KEYWORD=VALUE")?;
    Ok(AttributeMatch { keyword: keyword.to_owned(), value: value.to_owned() })
}

impl Fetch {
    pub(crate) fn run(self) -> Result<()> {
        ensure!(
            !ServerOptions::is_node(&self.server),
            "{} is a DICOM node; fetching goes by DICOMweb, so name its https:// address",
            self.server
        );
        if let Some(folder) = &self.folder {
            refuse_stream(folder, "folder of objects")?;
            require_folder(folder)?;
        }
        let query = self.query()?;
        let params = FetchParams::default().with_modalities(&self.modality).with_series_instance_uids(&self.series);
        let choice = params.check()?;
        let server = self.options.dicom_web(&self.server)?;
        let mut transfer = Transfer::start();
        let done = self.fetch(&server, &query, &choice, &mut transfer);
        transfer.finish();
        done
    }

    fn takes_all_series(&self) -> bool {
        self.modality.is_none() && self.series.is_empty()
    }

    fn query(&self) -> Result<StudyQuery> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let texts =
            [&self.patient_id, &self.patient_name, &self.accession, &self.date, &self.description, &self.modality];
        let asks = texts.iter().any(|text| text.is_some()) || !self.study.is_empty() || !self.matches.is_empty();
        ensure!(
            asks || self.all,
            "nothing says which studies; name some, by --study, --patient-id, --date or others, or --all of the server"
        );
        let mut params = StudyQueryParams::default()
            .with_study_instance_uids(&self.study)
            .with_patient_id(text(&self.patient_id))
            .with_patient_name(text(&self.patient_name))
            .with_accession_number(text(&self.accession))
            .with_study_date(text(&self.date))
            .with_study_description(text(&self.description))
            .with_modality(text(&self.modality))
            .with_matches(self.matches.clone());
        if let Some(most) = self.most {
            params = params.with_most(most);
        }
        Ok(params.check()?)
    }

    fn fetch(
        &self,
        server: &DicomWeb,
        query: &StudyQuery,
        choice: &FetchChoice,
        transfer: &mut Transfer,
    ) -> Result<()> {
        let studies = server.search_studies(query, &mut |event| transfer.show(event))?;
        let Some(folder) = &self.folder else { return print(&listed(&studies)?) };
        ensure!(!studies.is_empty(), "{} has no study that is asked for", server.url());
        let mut folder = FetchFolder::open(folder)?;
        let mut total = Total::default();
        for (number, study) in studies.iter().enumerate() {
            let uid = &study.study_instance_uid;
            let place = format!("study {} of {}, {uid}", number + 1, studies.len());
            match server.fetch(uid, choice, &mut folder, &mut |event| transfer.show(event)) {
                Ok(report) => {
                    if self.takes_all_series() {
                        tell_unlisted(study, &report, transfer);
                    }
                    total.add(&place, report, transfer);
                }
                // Other studies may go well.
                Err(error @ (PacsError::Status { .. } | PacsError::Answer { .. })) => {
                    transfer.warn(&format!("{place}: {error}"));
                    total.studies_failed += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        total.tell(transfer)
    }
}

/// Says when the server counts more objects in a study than it lists: some servers list no more than a limit.
fn tell_unlisted(study: &FoundStudy, report: &FetchReport, transfer: &Transfer) {
    let listed = report.fetched + report.already_there + report.failed.len();
    if let Some(count) = study.instances.filter(|&count| count > listed as u64) {
        transfer.warn(&format!(
            "the server counts {count} objects in the study {} and lists {listed}; what it does not list is not \
             fetched",
            study.study_instance_uid
        ));
    }
}

/// The studies as a table.
fn listed(studies: &[FoundStudy]) -> Result<String> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record([
        "StudyInstanceUID",
        "PatientID",
        "PatientName",
        "StudyDate",
        "AccessionNumber",
        "ModalitiesInStudy",
        "StudyDescription",
        "series",
        "instances",
    ])?;
    let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
    for study in studies {
        table.write_record([
            &study.study_instance_uid,
            &study.patient_id,
            &study.patient_name,
            &study.study_date,
            &study.accession_number,
            &study.modalities.join(" "),
            &study.study_description,
            &count(study.series),
            &count(study.instances),
        ])?;
    }
    String::from_utf8(table.into_inner()?).context("the table is no text")
}

/// What was fetched of all studies.
#[derive(Default)]
struct Total {
    fetched: usize,
    already_there: usize,
    missing: usize,
    studies_failed: usize,
}

impl Total {
    fn add(&mut self, place: &str, report: FetchReport, transfer: &Transfer) {
        let mut line = format!("{place}: {} objects fetched, {} already there", report.fetched, report.already_there);
        if report.replaced > 0 {
            line += &format!(", {} of them in place of files that were changed or not listed", report.replaced);
        }
        if report.series == 0 {
            line += "; it has no series that is asked for";
        }
        transfer.say(&line);
        for warning in &report.warnings {
            transfer.warn(&warning.to_string());
        }
        for failed in &report.failed {
            transfer.warn(&format!("object {} is missing: {}", failed.sop_instance_uid, failed.reason));
        }
        self.fetched += report.fetched;
        self.already_there += report.already_there;
        self.missing += report.failed.len();
    }

    fn tell(&self, transfer: &Transfer) -> Result<()> {
        let Self { fetched, already_there, missing, studies_failed } = self;
        transfer.say(&format!("{fetched} objects fetched, {already_there} already there"));
        if *missing + *studies_failed > 0 {
            bail!("{missing} objects and {studies_failed} whole studies are missing; run again to fetch them alone");
        }
        Ok(())
    }
}
