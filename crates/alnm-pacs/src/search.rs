//! Searching (QIDO-RS, PS3.18 section 10.6): studies by what is known of them, their series and objects.

use std::collections::BTreeSet;

use alnm_imaging::dicom::is_uid;
use serde::{Deserialize, Serialize};

use crate::dicom_json::JsonDataSet;
use crate::dicomweb::DicomWeb;
use crate::error::{PacsError, Result};
use crate::http::escaped;
use crate::progress::TransferObserver;

/// How many matches are asked for at once.
const PAGE: usize = 200;

const SOP_CLASS_UID: u32 = 0x0008_0016;
const SOP_INSTANCE_UID: u32 = 0x0008_0018;
const STUDY_DATE: u32 = 0x0008_0020;
const ACCESSION_NUMBER: u32 = 0x0008_0050;
const MODALITY: u32 = 0x0008_0060;
const MODALITIES_IN_STUDY: u32 = 0x0008_0061;
const STUDY_DESCRIPTION: u32 = 0x0008_1030;
const SERIES_DESCRIPTION: u32 = 0x0008_103e;
const PATIENT_NAME: u32 = 0x0010_0010;
const PATIENT_ID: u32 = 0x0010_0020;
const STUDY_INSTANCE_UID: u32 = 0x0020_000d;
const SERIES_INSTANCE_UID: u32 = 0x0020_000e;
const SERIES_NUMBER: u32 = 0x0020_0011;
const STUDY_RELATED_SERIES: u32 = 0x0020_1206;
const STUDY_RELATED_INSTANCES: u32 = 0x0020_1208;
const SERIES_RELATED_INSTANCES: u32 = 0x0020_1209;

/// Attributes of the studies that are searched for. Texts may contain the wildcards `*` and `?`, as in the DICOM
/// standard; an empty text puts no restriction.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `study_instance_uids` | none | the studies themselves | unique identifiers |
/// | `patient_id`, `patient_name`, `accession_number`, `study_description` | none | what the study has there | |
/// | `study_date` | none | a day, or days from and to | `YYYYMMDD`, `YYYYMMDD-`, `-YYYYMMDD`, `YYYYMMDD-YYYYMMDD` |
/// | `modality` | none | a modality of one of its series, for instance `MR` | |
/// | `matches` | none | further attributes by keyword, and what the study has there | keywords of letters and digits |
/// | `most` | none | the most studies that are listed | |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StudyQueryParams {
    /// The studies themselves.
    pub study_instance_uids: Vec<String>,
    /// Identifier of the patient.
    pub patient_id: String,
    /// Name of the patient.
    pub patient_name: String,
    /// Accession number.
    pub accession_number: String,
    /// A day, or days from and to.
    pub study_date: String,
    /// A modality of one of its series.
    pub modality: String,
    /// Description of the study.
    pub study_description: String,
    /// Further attributes by keyword, and what the study has there.
    pub matches: Vec<AttributeMatch>,
    /// The most studies that are listed.
    pub most: Option<usize>,
}

/// An attribute by its keyword, and the value that is searched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeMatch {
    /// Keyword of the attribute (PS3.6), for instance `ReferringPhysicianName`.
    pub keyword: String,
    /// What it has to be; `*` and `?` stand for any characters.
    pub value: String,
}

impl StudyQueryParams {
    /// The studies themselves.
    #[must_use]
    pub fn with_study_instance_uids(self, uids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { study_instance_uids: uids.into_iter().map(Into::into).collect(), ..self }
    }

    /// Identifier of the patient.
    #[must_use]
    pub fn with_patient_id(self, patient_id: impl Into<String>) -> Self {
        Self { patient_id: patient_id.into(), ..self }
    }

    /// Name of the patient.
    #[must_use]
    pub fn with_patient_name(self, patient_name: impl Into<String>) -> Self {
        Self { patient_name: patient_name.into(), ..self }
    }

    /// Accession number.
    #[must_use]
    pub fn with_accession_number(self, accession_number: impl Into<String>) -> Self {
        Self { accession_number: accession_number.into(), ..self }
    }

    /// A day, or days from and to.
    #[must_use]
    pub fn with_study_date(self, study_date: impl Into<String>) -> Self {
        Self { study_date: study_date.into(), ..self }
    }

    /// A modality of one of its series.
    #[must_use]
    pub fn with_modality(self, modality: impl Into<String>) -> Self {
        Self { modality: modality.into(), ..self }
    }

    /// Description of the study.
    #[must_use]
    pub fn with_study_description(self, study_description: impl Into<String>) -> Self {
        Self { study_description: study_description.into(), ..self }
    }

    /// Further attributes.
    #[must_use]
    pub fn with_matches(self, matches: impl IntoIterator<Item = AttributeMatch>) -> Self {
        Self { matches: matches.into_iter().collect(), ..self }
    }

    /// The most studies that are listed.
    #[must_use]
    pub fn with_most(self, most: usize) -> Self {
        Self { most: Some(most), ..self }
    }

    /// The search.
    ///
    /// # Errors
    /// [`PacsError::InvalidParameter`] for what is no identifier, date or keyword.
    pub fn check(self) -> Result<StudyQuery> {
        self.study_instance_uids.iter().try_for_each(|uid| check_uid("StudyInstanceUID", uid))?;
        if !self.study_date.is_empty() && !is_date_or_range(&self.study_date) {
            let requirement = "a date is YYYYMMDD, and a range YYYYMMDD-YYYYMMDD with one of them or both";
            return Err(PacsError::parameter("study_date", format!("{:?}", self.study_date), requirement));
        }
        for AttributeMatch { keyword, .. } in &self.matches {
            if keyword.is_empty() || !keyword.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                let requirement = "a keyword of DICOM has letters and digits, for instance ReferringPhysicianName";
                return Err(PacsError::parameter("keyword", format!("{keyword:?}"), requirement));
            }
        }
        Ok(StudyQuery(self))
    }
}

/// Refuses a parameter that is no unique identifier.
pub(crate) fn check_uid(parameter: &'static str, uid: &str) -> Result<()> {
    if is_uid(uid) {
        return Ok(());
    }
    let requirement = "an identifier has numbers between dots and 64 characters at most";
    Err(PacsError::parameter(parameter, format!("{uid:?}"), requirement))
}

fn is_date_or_range(text: &str) -> bool {
    let is_date = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        None => is_date(text),
        Some((from, "")) => is_date(from),
        Some(("", to)) => is_date(to),
        Some((from, to)) => is_date(from) && is_date(to),
    }
}

/// A search for studies, made by [`StudyQueryParams::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyQuery(StudyQueryParams);

impl StudyQuery {
    /// What is asked for, each as `key=value`, and for which study.
    fn paths(&self) -> Vec<String> {
        let params = &self.0;
        let named = [
            ("PatientID", &params.patient_id),
            ("PatientName", &params.patient_name),
            ("AccessionNumber", &params.accession_number),
            ("StudyDate", &params.study_date),
            ("ModalitiesInStudy", &params.modality),
            ("StudyDescription", &params.study_description),
        ];
        let further = params.matches.iter().map(|wanted| (wanted.keyword.as_str(), &wanted.value));
        let keys: String = named
            .into_iter()
            .chain(further)
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("&{key}={}", escaped(value)))
            .collect();
        let path = |study: &str| format!("/studies?includefield={STUDY_DESCRIPTION:08X}{keys}{study}");
        if params.study_instance_uids.is_empty() {
            return vec![path("")];
        }
        // One by one: servers differ in how they take lists.
        params.study_instance_uids.iter().map(|uid| path(&format!("&StudyInstanceUID={uid}"))).collect()
    }
}

/// A study that a server has. Texts are empty, and numbers none, where the server does not tell them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundStudy {
    /// `StudyInstanceUID`.
    pub study_instance_uid: String,
    /// `PatientID`.
    pub patient_id: String,
    /// `PatientName`.
    pub patient_name: String,
    /// `StudyDate`, as `YYYYMMDD`.
    pub study_date: String,
    /// `AccessionNumber`.
    pub accession_number: String,
    /// `StudyDescription`.
    pub study_description: String,
    /// `ModalitiesInStudy`.
    pub modalities: Vec<String>,
    /// `NumberOfStudyRelatedSeries`.
    pub series: Option<u64>,
    /// `NumberOfStudyRelatedInstances`.
    pub instances: Option<u64>,
}

/// A series that a server has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundSeries {
    /// `SeriesInstanceUID`.
    pub series_instance_uid: String,
    /// `Modality`.
    pub modality: String,
    /// `SeriesDescription`.
    pub series_description: String,
    /// `SeriesNumber`.
    pub series_number: Option<u64>,
    /// `NumberOfSeriesRelatedInstances`.
    pub instances: Option<u64>,
}

/// An object that a server has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundInstance {
    /// `SOPInstanceUID`.
    pub sop_instance_uid: String,
    /// `SOPClassUID`, empty where the server does not tell it.
    pub sop_class_uid: String,
}

impl DicomWeb {
    /// Searches studies, page by page, in the order in which the server has them.
    ///
    /// # Errors
    /// Those of a request: [`PacsError::Connection`], [`PacsError::NotTrusted`], [`PacsError::Refused`],
    /// [`PacsError::Status`], [`PacsError::Answer`] when the answer is malformed, [`PacsError::Cancelled`].
    pub fn search_studies(&self, query: &StudyQuery, observer: &mut TransferObserver<'_>) -> Result<Vec<FoundStudy>> {
        let most = query.0.most.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for path in query.paths() {
            let left = most - found.len();
            found.extend(self.pages(observer, &path, STUDY_INSTANCE_UID, left)?.iter().map(study_of));
        }
        Ok(found)
    }

    /// The series of a study.
    ///
    /// # Errors
    /// Those of [`DicomWeb::search_studies`].
    pub fn search_series(&self, study: &str, observer: &mut TransferObserver<'_>) -> Result<Vec<FoundSeries>> {
        check_uid("StudyInstanceUID", study)?;
        let path = format!("/studies/{study}/series?includefield={SERIES_DESCRIPTION:08X}");
        let found = self.pages(observer, &path, SERIES_INSTANCE_UID, usize::MAX)?;
        Ok(found.iter().map(series_of).collect())
    }

    /// The objects of a series; `expected` of them, where the search for series told how many there are.
    ///
    /// # Errors
    /// Those of [`DicomWeb::search_studies`].
    pub fn search_instances(
        &self,
        study: &str,
        series: &FoundSeries,
        observer: &mut TransferObserver<'_>,
    ) -> Result<Vec<FoundInstance>> {
        check_uid("StudyInstanceUID", study)?;
        let path = format!("/studies/{study}/series/{}/instances?", series.series_instance_uid);
        let expected = series.instances.and_then(|count| usize::try_from(count).ok());
        // A server that counts none has not counted.
        let most = expected.filter(|&count| count > 0).unwrap_or(usize::MAX);
        let found = self.pages(observer, &path, SOP_INSTANCE_UID, most)?;
        Ok(found.iter().map(instance_of).collect())
    }

    /// The identifiers of all objects of a study; none where the server does not know it.
    pub(crate) fn instances_of_study(
        &self,
        study: &str,
        observer: &mut TransferObserver<'_>,
    ) -> Result<BTreeSet<String>> {
        match self.pages(observer, &format!("/studies/{study}/instances?"), SOP_INSTANCE_UID, usize::MAX) {
            Ok(found) => Ok(found.iter().filter_map(|instance| instance.text(SOP_INSTANCE_UID)).collect()),
            Err(PacsError::Status { status: 404, .. }) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    /// Asks page by page, until a page brings nothing new: a server may give fewer matches at once than it was asked
    /// for, or not know pages at all and give the same again. One that refuses pages, as Orthanc 1.12.5 does where
    /// attributes outside its index are searched for, is asked for everything at once.
    fn pages(
        &self,
        observer: &mut TransferObserver<'_>,
        path: &str,
        key: u32,
        most: usize,
    ) -> Result<Vec<JsonDataSet>> {
        let (mut found, mut known) = (Vec::new(), BTreeSet::new());
        let and = if path.ends_with('?') { "" } else { "&" };
        let mut offset = 0;
        while found.len() < most {
            let limit = PAGE.min(most - found.len());
            let page = match self.http.search(observer, &format!("{path}{and}limit={limit}&offset={offset}")) {
                Err(PacsError::Status { status: 400, .. }) if offset == 0 => self.http.search(observer, path)?,
                page => page?,
            };
            offset += page.len();
            let before = found.len();
            for data_set in page {
                let uid = data_set.text(key).unwrap_or_default();
                if !is_uid(&uid) {
                    let problem = format!("lists something with the identifier {uid:?}, which is none");
                    return Err(PacsError::answer(self.http.url(path), problem));
                }
                if known.insert(uid) {
                    found.push(data_set);
                }
            }
            if found.len() == before {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }
}

fn study_of(data_set: &JsonDataSet) -> FoundStudy {
    let text = |tag| data_set.text(tag).unwrap_or_default();
    FoundStudy {
        study_instance_uid: text(STUDY_INSTANCE_UID),
        patient_id: text(PATIENT_ID),
        patient_name: text(PATIENT_NAME),
        study_date: text(STUDY_DATE),
        accession_number: text(ACCESSION_NUMBER),
        study_description: text(STUDY_DESCRIPTION),
        modalities: data_set.texts(MODALITIES_IN_STUDY),
        series: data_set.whole_number(STUDY_RELATED_SERIES),
        instances: data_set.whole_number(STUDY_RELATED_INSTANCES),
    }
}

fn series_of(data_set: &JsonDataSet) -> FoundSeries {
    let text = |tag| data_set.text(tag).unwrap_or_default();
    FoundSeries {
        series_instance_uid: text(SERIES_INSTANCE_UID),
        modality: text(MODALITY),
        series_description: text(SERIES_DESCRIPTION),
        series_number: data_set.whole_number(SERIES_NUMBER),
        instances: data_set.whole_number(SERIES_RELATED_INSTANCES),
    }
}

fn instance_of(data_set: &JsonDataSet) -> FoundInstance {
    let text = |tag| data_set.text(tag).unwrap_or_default();
    FoundInstance { sop_instance_uid: text(SOP_INSTANCE_UID), sop_class_uid: text(SOP_CLASS_UID) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_checked_and_escaped() {
        let physician = AttributeMatch { keyword: "ReferringPhysicianName".to_owned(), value: "Ä*".to_owned() };
        let query = StudyQueryParams::default()
            .with_patient_id("P 1")
            .with_study_date("20240101-20241231")
            .with_matches([physician])
            .check()
            .unwrap();
        assert_eq!(
            query.paths(),
            [
                "/studies?includefield=00081030&PatientID=P%201&StudyDate=20240101-20241231&ReferringPhysicianName=%C3%84*"
            ]
        );
        let two = StudyQueryParams::default().with_study_instance_uids(["1.2", "1.3"]).check().unwrap();
        assert!(two.paths()[1].ends_with("&StudyInstanceUID=1.3"));
        let params = StudyQueryParams::default;
        for wrong in [
            params().with_study_instance_uids(["1.2&x"]),
            params().with_study_date("2024"),
            params().with_study_date("-"),
            params().with_study_date("20240101-2024"),
            params().with_matches([AttributeMatch { keyword: "a&b".to_owned(), value: String::new() }]),
        ] {
            assert!(wrong.clone().check().is_err(), "{wrong:?}");
        }
        for right in ["20240101", "20240101-", "-20240101"] {
            assert!(params().with_study_date(right).check().is_ok());
        }
    }
}
