//! What becomes of a case.

use alnm_imaging::Image;
use anyhow::{Error, Result};

use super::arguments::{ExtractArgs, Mode};
use super::batch::Case;
use super::engine::{Engine, RegionFeatures};
use super::log::Log;
use super::memory;
use super::one_row::{self, OneRow};
use super::output::formatted_row;
use super::panics::caught;
use super::regions::{self, CaseContent, CaseFiles, CaseMasks, Subject};
use super::report::{self, ReportedRegion};
use super::store::{CaseKey, CaseStore};
use super::table::{ColumnLists, Row, SharedRow};
use crate::messages::reasons;

/// What became of a case.
pub(super) struct Outcome {
    pub(super) number: usize,
    /// The rows of the table; one, or one for each region. A region that failed has its input columns.
    pub(super) rows: Vec<Row>,
    /// Whether a region of it failed. The log says why.
    pub(super) failed: bool,
    /// Whether it was computed but could not be stored. The log says why.
    pub(super) unsaved: bool,
    /// Its key in the folder of finished cases.
    pub(super) key: Option<CaseKey>,
}

impl Outcome {
    /// The rows as they are written, which the outcome then has no more.
    pub(super) fn take_rows(&mut self, arguments: &ExtractArgs, lists: &ColumnLists) -> Vec<SharedRow> {
        let rows = std::mem::take(&mut self.rows).into_iter();
        rows.map(|row| lists.share(formatted_row(arguments, row))).collect()
    }
}

/// Extracts cases.
pub(super) struct CaseExtraction<'a> {
    pub(super) arguments: &'a ExtractArgs,
    pub(super) engine: &'a Engine,
    pub(super) store: Option<&'a CaseStore>,
    pub(super) log: &'a Log,
}

impl CaseExtraction<'_> {
    /// Takes a case from the folder of finished ones, or computes and stores it. Whatever goes wrong, a fault of this
    /// program included, ends this case alone; each failure is reported once.
    pub(super) fn of(&self, case: &Case) -> Outcome {
        let inputs = regions::inputs(self.arguments, case);
        let unread = Outcome { number: case.number, rows: vec![inputs], failed: false, unsaved: false, key: None };
        caught(|| self.found_or_computed(case)).unwrap_or_else(|error| {
            self.failure(case.number, "", &error);
            Outcome { failed: true, ..unread }
        })
    }

    fn found_or_computed(&self, case: &Case) -> Result<Outcome> {
        let number = case.number;
        let files = CaseFiles::open(case)?;
        // Maps are files of their own.
        let store = self.store.filter(|_| self.arguments.mode == Mode::Segment);
        let key = store.map(|store| store.key(case, &files)).transpose()?;
        let stored = store.zip(key.as_ref());
        if let Some((store, key)) = stored {
            match store.find(key, self.arguments, case) {
                Ok(Some(rows)) => {
                    self.log.info(format_args!("case {number}: already computed"));
                    return Ok(Outcome { number, rows, failed: false, unsaved: false, key: Some(key.clone()) });
                }
                Ok(None) => {}
                Err(error) => {
                    self.log.warning(format_args!("case {number}: {}; it is computed again", reasons(&error)));
                }
            }
        }
        let mut outcome = self.computed(case, files)?;
        if let Some((store, key)) = stored.filter(|_| !outcome.failed)
            && let Err(error) = store.save(key, self.arguments, case, &outcome.rows)
        {
            self.log.error(format_args!("case {number} is computed, but not stored: {}", reasons(&error)));
            outcome.unsaved = true;
        }
        outcome.key = key;
        Ok(outcome)
    }

    fn computed(&self, case: &Case, files: CaseFiles) -> Result<Outcome> {
        let number = case.number;
        let content = CaseContent::read(self.arguments, self.engine, case, files, self.log)?;
        let mut outcome = Outcome { number, rows: Vec::new(), failed: false, unsaved: false, key: None };
        if self.arguments.one_row {
            let OneRow { row, is_empty } = one_row::of_case(self.arguments, self.engine, case, &content, self.log)?;
            outcome.rows.push(row);
            outcome.failed = is_empty;
            return Ok(outcome);
        }
        let inputs = regions::inputs(self.arguments, case);
        for place in 0..content.images.count() {
            let image = content.images.image(place)?;
            let of_image = content.images.columns(place);
            let (rows, reported) = self.rows_of_image(number, &image, &of_image, &content.masks);
            for (own, computed) in rows {
                let computed = computed.unwrap_or_else(|error| {
                    self.failure(number, &regions::row_name(&own), &error);
                    outcome.failed = true;
                    Row::new()
                });
                outcome.rows.push(inputs.iter().cloned().chain(own).chain(computed).collect());
            }
            if let Some(path) = report::path(self.arguments, case).filter(|_| !outcome.failed)
                && let Err(error) = report::write(self.arguments, &path, case, &reported)
            {
                self.failure(number, "", &error);
                outcome.failed = true;
            }
        }
        if !outcome.failed {
            self.log.info(format_args!("case {number}: done"));
        }
        Ok(outcome)
    }

    /// For each region what tells it from the others, and what was computed; and the regions with their features, where
    /// a report of them is written.
    fn rows_of_image(
        &self,
        number: usize,
        image: &Image,
        of_image: &Row,
        masks: &CaseMasks,
    ) -> (Vec<(Row, Result<Row>)>, Vec<ReportedRegion>) {
        let with_image = |columns: &Row| -> Row { of_image.iter().chain(columns).cloned().collect() };
        let (mut rows, mut reported) = (Vec::new(), Vec::new());
        for place in 0..masks.count() {
            let masked = match caught(|| masks.mask(place)) {
                Ok(masked) => masked,
                Err(error) => {
                    rows.push((with_image(&masks.columns(place)), Err(error)));
                    continue;
                }
            };
            for remark in &masked.remarks {
                self.log.warning(format_args!("case {number}: {remark}"));
            }
            for region in &masked.regions {
                let own = with_image(&region.columns);
                let subject = Subject { number, image, mask: &masked.mask, label: region.label, columns: &own };
                let computed = caught(|| {
                    memory::check(self.engine, &subject)?;
                    self.engine.features(self.arguments, &subject, self.log)
                });
                let computed = computed.map(|RegionFeatures { row, features }| {
                    if self.arguments.sr.is_some() {
                        let (region, mask) = (region.clone(), masked.mask.clone());
                        reported.push(ReportedRegion { region, mask, features });
                    }
                    row
                });
                rows.push((own, computed));
            }
        }
        (rows, reported)
    }

    fn failure(&self, number: usize, region: &str, error: &Error) {
        let region = if region.is_empty() { String::new() } else { format!(", {region}") };
        self.log.error(format_args!("case {number}{region}: {}", reasons(error)));
    }
}
