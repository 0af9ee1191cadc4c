//! How far readers agree on features: `--reader-masks` with `--reliability`.

use std::collections::{BTreeMap, BTreeSet};

use alnm_selection::FeatureTable;
use alnm_selection::agreement_filter::{AgreementFilter, AgreementParams, FeatureAgreement};
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, DataTable, Tabulate};
use anyhow::{Result, ensure};
use ndarray::Array2;

use super::arguments::ExtractArgs;
use super::log::Log;
use super::regions::REGION_COLUMNS;
use super::table::{RowValue, SharedRow};
use crate::exit::wrong_value;

/// The column with the name of the column that the mask of a row comes from.
pub(super) const READER: &str = "Reader";

/// What identifies a region in the rows of all readers: the number of its case, and what tells it from the case's
/// others.
type RegionKey = (usize, Vec<String>);

/// The features of each region by one reader.
type ReaderFeatures<'a> = BTreeMap<RegionKey, BTreeMap<&'a str, f64>>;

/// The filter that the command line asks for. Refused is, before any work is done, a file that cannot be written.
pub(super) fn filter(arguments: &ExtractArgs) -> Result<Option<AgreementFilter>> {
    let Some(path) = &arguments.reliability else { return Ok(None) };
    arguments.overwriting.check_files([path.as_path()])?;
    AgreementParams::default().with_above(arguments.icc_above).check().map(Some).map_err(wrong_value)
}

/// The agreement on each feature over the regions that all readers outlined. A feature that is not defined for all of
/// these has no intraclass correlation and is not reliable.
pub(super) fn table(filter: &AgreementFilter, rows: &[(usize, SharedRow)], log: &Log) -> Result<DataTable> {
    let (names, readers) = by_reader(rows);
    let all: BTreeSet<&RegionKey> = readers.values().flat_map(BTreeMap::keys).collect();
    let is_of_all = |key: &&RegionKey| readers.values().all(|regions| regions.contains_key(*key));
    let keys: Vec<&RegionKey> = all.iter().copied().filter(is_of_all).collect();
    if keys.len() < all.len() {
        let lacking = all.len() - keys.len();
        log.warning(format_args!("{lacking} of {} regions lack features by a reader and do not count", all.len()));
    }
    ensure!(keys.len() >= 2, "{} regions have features by all readers; agreement needs at least 2", keys.len());
    let value =
        |regions: &ReaderFeatures<'_>, key: &RegionKey, name: &str| regions[key].get(name).copied().unwrap_or(f64::NAN);
    let is_defined =
        |name: &&str| readers.values().all(|regions| keys.iter().all(|key| value(regions, key, name).is_finite()));
    let defined: Vec<&str> = names.iter().copied().filter(is_defined).collect();
    let of_reader = |regions: &ReaderFeatures<'_>| {
        let cell = |(row, column): (usize, usize)| value(regions, keys[row], defined[column]);
        let names = defined.iter().map(|&name| name.to_owned()).collect();
        FeatureTable::new(names, Array2::from_shape_fn((keys.len(), defined.len()), cell))
    };
    let tables = readers.values().map(of_reader).collect::<Result<Vec<_>, _>>()?;
    let found = filter.assess(&tables.iter().collect::<Vec<_>>())?;
    log.info(format_args!(
        "{} of {} features have an ICC above {} between {} readers of {} regions; {} are not defined for all",
        found.iter().filter(|feature| feature.reliable).count(),
        names.len(),
        filter.params().above,
        tables.len(),
        keys.len(),
        names.len() - defined.len()
    ));
    laid_out(filter, &names, &found)
}

/// The names of all features in the order in which they come, and the features of each reader.
fn by_reader(rows: &[(usize, SharedRow)]) -> (Vec<&str>, BTreeMap<&str, ReaderFeatures<'_>>) {
    let (mut names, mut known) = (Vec::new(), BTreeSet::new());
    let mut readers: BTreeMap<&str, ReaderFeatures<'_>> = BTreeMap::new();
    for (number, row) in rows {
        let features: Vec<(&str, f64)> = row.cells().filter_map(|(name, cell)| Some((name, feature(cell)?))).collect();
        let Some(reader) = row.cells().find_map(reader) else { continue };
        let regions = readers.entry(reader).or_default();
        if features.is_empty() {
            continue;
        }
        names.extend(features.iter().map(|(name, _)| *name).filter(|name| known.insert(*name)));
        let region = row.cells().filter(|(name, _)| REGION_COLUMNS.contains(name)).map(|(_, cell)| cell.text());
        regions.insert((*number, region.collect()), features.into_iter().collect());
    }
    (names, readers)
}

fn feature(cell: &RowValue) -> Option<f64> {
    match cell {
        RowValue::Number(value) => Some(*value),
        RowValue::Text(_) | RowValue::Diagnostic(_) => None,
    }
}

fn reader<'a>((name, cell): (&'a str, &'a RowValue)) -> Option<&'a str> {
    match cell {
        RowValue::Text(reader) if name == READER => Some(reader),
        _ => None,
    }
}

/// A row for each feature, by the form of the filter. What was found is in the order of the names, without those that
/// are not defined.
fn laid_out(filter: &AgreementFilter, names: &[&str], found: &[FeatureAgreement]) -> Result<DataTable> {
    let form = filter.params().form;
    let mut table = DataTable::new(FeatureAgreement::COLUMNS.iter().copied())?;
    let mut found = found.iter().peekable();
    for name in names {
        table.push(match found.next_if(|agreement| agreement.feature == *name) {
            Some(agreement) => agreement.row(form),
            None => cells![*name, form.name(), Cell::Empty, Cell::Empty, Cell::Empty, false],
        })?;
    }
    Ok(table)
}
