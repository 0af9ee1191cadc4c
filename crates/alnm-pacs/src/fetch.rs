//! Retrieving (WADO-RS, PS3.18 section 10.4): the objects of a study into a folder, those that lie there whole left
//! out.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};

use alnm_imaging::file::AtomicFile;
use serde::{Deserialize, Serialize};
use ureq::Body;
use ureq::http::Response;

use crate::content_hash::ContentHash;
use crate::dicomweb::DicomWeb;
use crate::error::{PacsError, Result};
use crate::fetch_folder::{Content, FetchFolder, OnDisk, Place};
use crate::http::content_type_of;
use crate::multipart::{MessagePart, Multipart};
use crate::part10::FileMeta;
use crate::progress::{TransferEvent, TransferObserver, tell};
use crate::retry::Failure;
use crate::search::{FoundSeries, check_uid};

/// What is asked for: files as they were stored, in whatever transfer syntax.
const AS_STORED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

/// Which series of a study are fetched: all by default.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `modalities` | all | those of these modalities, for instance `MR` | |
/// | `series_instance_uids` | all | those with these identifiers | unique identifiers |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FetchParams {
    /// Those of these modalities.
    pub modalities: Vec<String>,
    /// Those with these identifiers.
    pub series_instance_uids: Vec<String>,
}

impl FetchParams {
    /// Those of these modalities.
    #[must_use]
    pub fn with_modalities(self, modalities: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { modalities: modalities.into_iter().map(Into::into).collect(), ..self }
    }

    /// Those with these identifiers.
    #[must_use]
    pub fn with_series_instance_uids(self, uids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { series_instance_uids: uids.into_iter().map(Into::into).collect(), ..self }
    }

    /// The choice.
    ///
    /// # Errors
    /// [`PacsError::InvalidParameter`] for what is no identifier.
    pub fn check(self) -> Result<FetchChoice> {
        self.series_instance_uids.iter().try_for_each(|uid| check_uid("SeriesInstanceUID", uid))?;
        Ok(FetchChoice(self))
    }
}

/// Which series of a study are fetched, made by [`FetchParams::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchChoice(FetchParams);

impl FetchChoice {
    fn holds(&self, series: &FoundSeries) -> bool {
        let holds = |wanted: &[String], found: &String| wanted.is_empty() || wanted.contains(found);
        holds(&self.0.modalities, &series.modality) && holds(&self.0.series_instance_uids, &series.series_instance_uid)
    }
}

/// An object that could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailedFetch {
    /// `SeriesInstanceUID`.
    pub series_instance_uid: String,
    /// `SOPInstanceUID`.
    pub sop_instance_uid: String,
    /// What went wrong.
    pub reason: String,
}

/// What was fetched of a study.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FetchReport {
    /// Series that were asked for and that the server has.
    pub series: usize,
    /// Objects that arrived.
    pub fetched: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that lay there whole.
    pub already_there: usize,
    /// Of the objects that arrived, those in whose place lay a file that was changed, damaged, or never listed.
    pub replaced: usize,
    /// Objects that the server lists and that did not arrive.
    pub failed: Vec<FailedFetch>,
    /// What was odd.
    pub warnings: Vec<String>,
}

impl FetchReport {
    /// Whether all that was asked for lies on disk.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }
}

/// A series, and which of its objects are to come.
struct Plan {
    series: String,
    /// Whether some lie there already.
    has_begun: bool,
    missing: BTreeSet<String>,
}

impl DicomWeb {
    /// Fetches the objects of a study into a folder.
    ///
    /// Each object gets its name when it is there as a whole. Of a series of which nothing is there all objects are
    /// asked for at once; after an interruption, and of a series that is there in part, those that are missing are
    /// asked for one by one. So each call goes on where the last one ended, however that ended.
    ///
    /// # Errors
    /// Those of [`DicomWeb::search_studies`], [`PacsError::File`] and [`PacsError::DiskFull`] when files cannot be
    /// written. Single objects that the server lists and does not send are no error: see [`FetchReport::failed`].
    pub fn fetch(
        &self,
        study: &str,
        choice: &FetchChoice,
        folder: &mut FetchFolder,
        observer: &mut TransferObserver<'_>,
    ) -> Result<FetchReport> {
        let mut report = FetchReport::default();
        let plans = self.plan(study, choice, folder, observer, &mut report)?;
        let objects = plans.iter().map(|plan| plan.missing.len()).sum();
        tell(observer, TransferEvent::Planned { objects, already_there: report.already_there })?;
        for plan in plans {
            folder.prepare(study, &plan.series)?;
            SeriesFetch { server: self, study, folder, report: &mut report, plan }.run(observer)?;
        }
        Ok(report)
    }

    /// What is missing of each series.
    fn plan(
        &self,
        study: &str,
        choice: &FetchChoice,
        folder: &FetchFolder,
        observer: &mut TransferObserver<'_>,
        report: &mut FetchReport,
    ) -> Result<Vec<Plan>> {
        let mut plans = Vec::new();
        for series in self.search_series(study, observer)?.iter().filter(|series| choice.holds(series)) {
            let uid = &series.series_instance_uid;
            let instances = self.search_instances(study, series, observer)?;
            if let Some(count) = series.instances.filter(|&count| count > instances.len() as u64) {
                report.warnings.push(format!(
                    "the server counts {count} objects in the series {uid} and lists {}; what it does not list is not \
                     fetched",
                    instances.len()
                ));
            }
            let mut missing = BTreeSet::new();
            for instance in &instances {
                let place = Place { study, series: uid, instance: &instance.sop_instance_uid };
                if folder.on_disk(place)? == OnDisk::Whole {
                    report.already_there += 1;
                } else {
                    missing.insert(instance.sop_instance_uid.clone());
                }
            }
            report.series += 1;
            plans.push(Plan { series: uid.clone(), has_begun: missing.len() < instances.len(), missing });
        }
        Ok(plans)
    }
}

/// The fetching of a series.
struct SeriesFetch<'a> {
    server: &'a DicomWeb,
    study: &'a str,
    folder: &'a mut FetchFolder,
    report: &'a mut FetchReport,
    plan: Plan,
}

impl SeriesFetch<'_> {
    fn run(mut self, observer: &mut TransferObserver<'_>) -> Result<()> {
        let mut asks_for_all = !self.plan.has_begun && self.plan.missing.len() > 1;
        let mut attempt = 1;
        while let Some(first) = self.plan.missing.first().cloned() {
            let path = format!("/studies/{}/series/{}", self.study, self.plan.series);
            let url = if asks_for_all { path } else { format!("{path}/instances/{first}") };
            let before = self.plan.missing.len();
            let answer = self.retrieve(&self.server.http.url(&url), observer, attempt);
            let progress = self.plan.missing.len() < before;
            match answer {
                Ok(()) if progress => {}
                // What the whole series lacks may come by itself.
                Ok(()) if asks_for_all => {}
                Ok(()) => self.give_up(&first, "the server lists it and does not send it"),
                Err(failure @ Failure::Passing { .. }) => {
                    attempt = if progress { 1 } else { attempt };
                    self.server.http.retry().after(observer, failure, attempt)?;
                    attempt += 1;
                    asks_for_all = asks_for_all && !progress;
                    continue;
                }
                Err(Failure::Final(error @ (PacsError::Status { .. } | PacsError::Answer { .. }))) => {
                    if !asks_for_all {
                        self.give_up(&first, &error.to_string());
                    }
                }
                Err(Failure::Final(error)) => return Err(error),
            }
            attempt = 1;
            asks_for_all = false;
        }
        Ok(())
    }

    fn give_up(&mut self, instance: &str, reason: &str) {
        self.plan.missing.remove(instance);
        self.report.failed.push(FailedFetch {
            series_instance_uid: self.plan.series.clone(),
            sop_instance_uid: instance.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Asks once, and keeps each object of the answer that arrived whole.
    fn retrieve(&mut self, url: &str, observer: &mut TransferObserver<'_>, attempt: u32) -> Result<(), Failure> {
        let server = self.server;
        let response: Response<Body> = server.http.get(url, AS_STORED, attempt)?;
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::InvalidData => Failure::Final(PacsError::answer(url, error.to_string())),
            _ => server.http.broken(&error, attempt),
        };
        let content_type = content_type_of(&response).to_owned();
        let mut body = Multipart::new(response.into_body().into_reader(), &content_type).map_err(failed)?;
        let mut unasked = 0_usize;
        while let Some(mut part) = body.next_part().map_err(failed)? {
            if let Some(bytes) = part.announced_bytes() {
                self.check_size(url, bytes)?;
            }
            let meta = FileMeta::read(&mut part).map_err(failed)?;
            if !self.plan.missing.contains(&meta.sop_instance_uid) {
                unasked += 1;
                continue;
            }
            self.keep(url, meta, &mut part, observer, &failed)?;
        }
        if unasked > 0 {
            let warning = format!("{url} sends {unasked} objects that were not asked for; they are left out");
            self.report.warnings.push(warning);
        }
        Ok(())
    }

    /// Writes the object of a part.
    fn keep(
        &mut self,
        url: &str,
        meta: FileMeta,
        part: &mut MessagePart<'_, impl Read>,
        observer: &mut TransferObserver<'_>,
        failed: &dyn Fn(io::Error) -> Failure,
    ) -> Result<(), Failure> {
        let series = self.plan.series.clone();
        let place = Place { study: self.study, series: &series, instance: &meta.sop_instance_uid };
        let path = self.folder.path_of(place);
        let unwritten = |error: io::Error| Failure::Final(PacsError::file(&path, &error));
        let mut file = AtomicFile::create(&path).map_err(unwritten)?;
        let mut hash = ContentHash::default();
        let mut bytes = 0;
        let mut buffer = vec![0; 1 << 16];
        let mut piece = meta.bytes.as_slice();
        loop {
            hash.update(piece);
            file.write_all(piece).map_err(unwritten)?;
            bytes += piece.len() as u64;
            self.check_size(url, bytes)?;
            tell(observer, TransferEvent::Bytes(piece.len() as u64))?;
            let count = part.read(&mut buffer).map_err(failed)?;
            if count == 0 {
                break;
            }
            piece = &buffer[..count];
        }
        let replaces = path.exists();
        file.commit().map_err(unwritten)?;
        self.folder.record(place, Content { bytes, sha256: hash.finish() })?;
        self.report.fetched += 1;
        self.report.bytes += bytes;
        self.report.replaced += usize::from(replaces);
        self.plan.missing.remove(&meta.sop_instance_uid);
        tell(observer, TransferEvent::Done { sop_instance_uid: &meta.sop_instance_uid })?;
        Ok(())
    }

    fn check_size(&self, url: &str, bytes: u64) -> Result<(), Failure> {
        let most = self.server.most_object_bytes;
        if bytes <= most {
            return Ok(());
        }
        let problem = format!("has an object of {bytes} bytes or more; the limit is {most} (most_object_bytes)");
        Err(PacsError::answer(url, problem).into())
    }
}
