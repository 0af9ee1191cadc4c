//! What becomes of a case.

use alnm_imaging::Image;
use alnm_radiomics::RadiomicsError;
use anyhow::{Error, Result, ensure};

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
use crate::exit::{self, Ending};
use crate::messages::reasons;

/// How much of a case came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Success {
    /// All of its regions.
    Whole,
    /// Some of them.
    Part,
    Nothing,
}

impl Success {
    /// That of a case of which so many regions failed.
    pub(super) fn of(failed: usize, all: usize) -> Self {
        match failed {
            0 => Self::Whole,
            _ if failed < all => Self::Part,
            _ => Self::Nothing,
        }
    }
}

/// What became of a case.
pub(super) struct Outcome {
    pub(super) number: usize,
    /// The rows of the table; one, or one for each region. A region that failed has its input columns.
    pub(super) rows: Vec<Row>,
    /// How much of it came out. The log says why, where it is not all.
    pub(super) success: Success,
    /// Whether nothing came out because the command line asks for what makes no sense for these files.
    pub(super) is_wrong_use: bool,
    /// Whether it was computed but could not be stored. The log says why.
    pub(super) unsaved: bool,
    /// Its key in the folder of finished cases.
    pub(super) key: Option<CaseKey>,
}

impl Outcome {
    /// A case without rows, nothing of which failed.
    fn new(number: usize) -> Self {
        Self { number, rows: Vec::new(), success: Success::Whole, is_wrong_use: false, unsaved: false, key: None }
    }

    /// The rows as they are written, which the outcome then has no more.
    pub(super) fn take_rows(&mut self, arguments: &ExtractArgs, lists: &ColumnLists) -> Vec<SharedRow> {
        let rows = std::mem::take(&mut self.rows).into_iter();
        rows.map(|row| lists.share(formatted_row(arguments, row))).collect()
    }
}

/// Whether an error is the fault of the command line, seen when the files were known.
fn is_wrong_use(error: &Error) -> bool {
    let of_radiomics = error.chain().find_map(|cause| cause.downcast_ref::<RadiomicsError>());
    exit::ending_of(error) == Ending::WrongUse
        || matches!(of_radiomics, Some(RadiomicsError::Parameter(_) | RadiomicsError::SpacingLength { .. }))
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
        caught(|| self.found_or_computed(case)).unwrap_or_else(|error| {
            self.failure(case.number, "", &error);
            Outcome {
                rows: vec![inputs],
                success: Success::Nothing,
                is_wrong_use: is_wrong_use(&error),
                ..Outcome::new(case.number)
            }
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
                    return Ok(Outcome { rows, key: Some(key.clone()), ..Outcome::new(number) });
                }
                Ok(None) => {}
                Err(error) => {
                    self.log.warning(format_args!("case {number}: {}; it is computed again", reasons(&error)));
                }
            }
        }
        let mut outcome = self.computed(case, files)?;
        if let Some((store, key)) = stored.filter(|_| outcome.success == Success::Whole)
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
        let mut outcome = Outcome::new(number);
        if self.arguments.one_row {
            let OneRow { row, success } = one_row::of_case(self.arguments, self.engine, case, &content, self.log)?;
            return Ok(Outcome { rows: vec![row], success, ..outcome });
        }
        let (mut failed, mut wrong_uses) = (0, 0);
        let inputs = regions::inputs(self.arguments, case);
        for place in 0..content.images.count() {
            let image = content.images.image(place)?;
            let of_image = content.images.columns(place);
            let (rows, reported) = self.rows_of_image(number, &image, &of_image, &content.masks);
            for (own, computed) in rows {
                let computed = computed.unwrap_or_else(|error| {
                    self.failure(number, &regions::row_name(&own), &error);
                    failed += 1;
                    wrong_uses += usize::from(is_wrong_use(&error));
                    Row::new()
                });
                outcome.rows.push(inputs.iter().cloned().chain(own).chain(computed).collect());
            }
            if let Some(path) = report::path(self.arguments, case).filter(|_| failed == 0)
                && let Err(error) = report::write(self.arguments, &path, case, &reported)
            {
                self.failure(number, "", &error);
                // Nothing of the report came out.
                failed = outcome.rows.len();
            }
        }
        ensure!(!outcome.rows.is_empty(), "the mask has no region");
        outcome.success = Success::of(failed, outcome.rows.len());
        outcome.is_wrong_use = outcome.success == Success::Nothing && wrong_uses == failed;
        if outcome.success == Success::Whole {
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
                let subject =
                    Subject { number, image, mask: masked.mask.borrowed(), label: region.label, columns: &own };
                let computed = caught(|| {
                    memory::check(self.engine, &subject)?;
                    self.engine.features(self.arguments, &subject, self.log)
                });
                let computed = computed.map(|RegionFeatures { row, features }| {
                    if self.arguments.sr.is_some() {
                        let (region, mask) = (region.clone(), masked.mask.clone().into_label_map());
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
