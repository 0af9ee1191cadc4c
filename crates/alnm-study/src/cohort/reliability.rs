//! A table of the agreement between readers on each feature, which was made before the study.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// The columns of the table that are read: a feature's name, and `yes` or `no`.
const COLUMNS: [&str; 2] = ["feature", "reliable"];

/// Which features of a table that `alnm extract --reliability` wrote are reliable.
///
/// It is for studies whose agreement was examined on other outlines than those of the cohort, or whose second reader's
/// masks are not at hand. The table tells nothing of outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReliabilityTable {
    /// The file.
    pub path: PathBuf,
    /// Features on which the readers agree.
    pub reliable: BTreeSet<String>,
    /// All others of the table.
    pub unreliable: BTreeSet<String>,
}

impl ReliabilityTable {
    /// Reads a table with the columns `feature` and `reliable`.
    ///
    /// # Errors
    /// A file that cannot be read, a column that is missing, a feature that stands there twice, a cell other than `yes`
    /// or `no`, a table without a reliable feature.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parsed(path).with_context(|| format!("{} is no table of reliable features", path.display()))
    }

    fn parsed(path: &Path) -> Result<Self> {
        let mut reader = csv::Reader::from_path(path)?;
        let headers = reader.headers()?.clone();
        let place = |name: &str| {
            let found = headers.iter().position(|header| header == name);
            found.with_context(|| format!("the column {name} is missing"))
        };
        let [feature, reliable] = [place(COLUMNS[0])?, place(COLUMNS[1])?];
        let mut table = Self { path: path.to_owned(), reliable: BTreeSet::new(), unreliable: BTreeSet::new() };
        for record in reader.records() {
            let record = record?;
            let name = record[feature].to_owned();
            ensure!(
                !table.reliable.contains(&name) && !table.unreliable.contains(&name),
                "the feature {name} stands there twice; keep the row of one form of the intraclass correlation"
            );
            match &record[reliable] {
                "yes" => table.reliable.insert(name),
                "no" => table.unreliable.insert(name),
                other => bail!("the feature {name} has the word {other:?} under reliable; it must be yes or no"),
            };
        }
        ensure!(!table.reliable.is_empty(), "it calls no feature reliable");
        Ok(table)
    }

    /// Those of these features that are reliable, in their order.
    ///
    /// # Errors
    /// When the table lacks one, or none is reliable.
    pub fn kept(&self, features: &[String]) -> Result<Vec<String>> {
        let is_known = |name: &&String| self.reliable.contains(*name) || self.unreliable.contains(*name);
        if let Some(absent) = features.iter().find(|name| !is_known(name)) {
            bail!(
                "{} lacks the feature {absent}; extract the outlines with the study's parameters",
                self.path.display()
            );
        }
        let kept: Vec<String> = features.iter().filter(|name| self.reliable.contains(*name)).cloned().collect();
        ensure!(!kept.is_empty(), "no feature that is defined for all patients is reliable in {}", self.path.display());
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ReliabilityTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reliability.csv");
        std::fs::write(&path, text).unwrap();
        ReliabilityTable::read(&path)
    }

    #[test]
    fn reliable_features_are_kept_in_their_order() {
        let table = read("feature,form,ICC,reliable\na,\"ICC(2,1)\",0.9,yes\nb,,0.5,no\nc,,0.8,yes\n").unwrap();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(table.kept(&names(&["c", "b", "a"])).unwrap(), names(&["c", "a"]));
        assert!(table.kept(&names(&["b"])).unwrap_err().to_string().contains("is reliable in"));
        assert!(table.kept(&names(&["a", "d"])).unwrap_err().to_string().contains("lacks the feature d"));
    }

    #[test]
    fn other_tables_are_refused() {
        for (text, what) in [
            ("feature,ICC\na,0.9\n", "column reliable"),
            ("feature,reliable\na,yes\na,no\n", "twice"),
            ("feature,reliable\na,maybe\n", "\"maybe\""),
            ("feature,reliable\na,no\n", "no feature reliable"),
            ("feature,reliable\na\n", "found record with 1 fields"),
            ("", "column feature"),
        ] {
            let refused = format!("{:#}", read(text).unwrap_err());
            assert!(refused.contains(what), "{text:?}: {refused}");
        }
    }
}
