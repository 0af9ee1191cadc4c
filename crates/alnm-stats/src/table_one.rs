//! The baseline table of a two-group study, with tests chosen by stated rules.
//!
//! A [`TableOne`] holds numbers. [`Tabulate`] lays all of them out for further analysis; [`TableOne::printed`] gives
//! the table as journals print it, "50.25 ± 9.63" or "28 (25.0 %)".

use ndarray::Array2;

use crate::contingency::CountTable;
use crate::data_table::{Cell, DataTable, Tabulate};
use crate::describe::{Description, QuantileType};
use crate::effect_size::{MeanDifference, multinomial_difference};
use crate::error::{Result, StatsError, require_same_length};
use crate::fisher::{self, FisherMethod};
use crate::missing::observed;
use crate::normality::shapiro_wilk;
use crate::rank_sum::{RankMethod, mann_whitney, standardised_rank_sum};
use crate::t_test::{GroupVariance, two_sample};
use crate::{Alternative, Labels, cells};

/// A baseline characteristic: one value per patient, either numbers or categories.
#[derive(Debug, Clone, PartialEq)]
pub struct Characteristic {
    name: String,
    unit: String,
    values: Values,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Continuous(Vec<f64>),
    Categorical { levels: Vec<String>, codes: Vec<Option<usize>> },
}

impl Characteristic {
    /// A numeric characteristic with its unit (empty without one), one value per patient; NaN is a missing value.
    #[must_use]
    pub fn continuous(name: &str, unit: &str, values: Vec<f64>) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), values: Values::Continuous(values) }
    }

    /// A categorical characteristic: its levels in the order in which they are printed and for each patient the index
    /// of the level, `None` for a missing value.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] for an index without a level.
    pub fn categorical(name: &str, levels: &[&str], codes: Vec<Option<usize>>) -> Result<Self> {
        if let Some(code) = codes.iter().flatten().find(|code| **code >= levels.len()) {
            return Err(StatsError::parameter("category code", *code, "below the number of levels"));
        }
        let levels = levels.iter().map(|l| (*l).to_owned()).collect();
        Ok(Self { name: name.to_owned(), unit: String::new(), values: Values::Categorical { levels, codes } })
    }

    /// The name as printed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unit as printed, empty without one.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.unit
    }
}

/// How summaries and tests of a baseline table are chosen.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `normality_level` | 0.05 | A numeric characteristic counts as normal when the Shapiro-Wilk p-value of both groups is at least this. A group of fewer than 3 values or without variation counts as not normal. | 0 to 1 |
/// | `variances` | Welch | Variances of the t-test of normal characteristics. | |
/// | `rank_method` | automatic | Method of the Mann-Whitney test of other numeric characteristics. | |
/// | `quartiles` | type 7 | Definition of the quartiles. | |
/// | `yates` | false | Whether 2 × 2 tables take Yates' continuity correction. | |
/// | `smallest_expected` | 5 | Fisher's exact test replaces the chi-squared test when the smallest expected count is below this. | 0 or more |
/// | `fisher` | exact within a limit, otherwise Monte Carlo | Method of Fisher's test of tables larger than 2 × 2. | at least 1 resample |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct TableOneParams {
    /// Smallest Shapiro-Wilk p-value of a normal group.
    pub normality_level: f64,
    /// Variances of the t-test.
    pub variances: GroupVariance,
    /// Method of the Mann-Whitney test.
    pub rank_method: RankMethod,
    /// Definition of the quartiles.
    pub quartiles: QuantileType,
    /// Yates' correction of 2 × 2 tables.
    pub yates: bool,
    /// Smallest expected count of a chi-squared test.
    pub smallest_expected: f64,
    /// Method of Fisher's test of tables larger than 2 × 2.
    pub fisher: FisherMethod,
}

impl Default for TableOneParams {
    fn default() -> Self {
        Self {
            normality_level: 0.05,
            variances: GroupVariance::Welch,
            rank_method: RankMethod::Automatic,
            quartiles: QuantileType::Type7,
            yates: false,
            smallest_expected: 5.0,
            fisher: FisherMethod::default(),
        }
    }
}

impl TableOneParams {
    /// Sets the smallest Shapiro-Wilk p-value of a normal group.
    pub fn with_normality_level(self, normality_level: f64) -> Self {
        Self { normality_level, ..self }
    }

    /// Sets the variances of the t-test.
    pub fn with_variances(self, variances: GroupVariance) -> Self {
        Self { variances, ..self }
    }

    /// Sets the method of the Mann-Whitney test.
    pub fn with_rank_method(self, rank_method: RankMethod) -> Self {
        Self { rank_method, ..self }
    }

    /// Sets the definition of the quartiles.
    pub fn with_quartiles(self, quartiles: QuantileType) -> Self {
        Self { quartiles, ..self }
    }

    /// Sets whether 2 × 2 tables take Yates' continuity correction.
    pub fn with_yates(self, yates: bool) -> Self {
        Self { yates, ..self }
    }

    /// Sets the smallest expected count of a chi-squared test.
    pub fn with_smallest_expected(self, smallest_expected: f64) -> Self {
        Self { smallest_expected, ..self }
    }

    /// Sets the method of Fisher's test of tables larger than 2 × 2.
    pub fn with_fisher(self, fisher: FisherMethod) -> Self {
        Self { fisher, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] names the first that lies outside its range.
    pub fn check(self) -> Result<TableOneRules> {
        if !(0.0..=1.0).contains(&self.normality_level) {
            return Err(StatsError::parameter("normality level", self.normality_level, "at least 0 and at most 1"));
        }
        if self.smallest_expected.is_nan() || self.smallest_expected < 0.0 {
            return Err(StatsError::parameter("smallest expected count", self.smallest_expected, "at least 0"));
        }
        self.fisher.check()?;
        Ok(TableOneRules(self))
    }
}

/// Checked rules, by which baseline tables are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableOneRules(TableOneParams);

impl TableOneRules {
    /// The table of the characteristics by outcome.
    ///
    /// # Errors
    /// [`StatsError::OneClass`] when a group is empty, [`StatsError::LengthMismatch`] when a characteristic has another
    /// number of values than there are labels.
    pub fn table(&self, labels: &Labels, characteristics: &[Characteristic]) -> Result<TableOne> {
        labels.require_both("baseline table")?;
        let rows = characteristics.iter().map(|c| row(labels, c, &self.0)).collect::<Result<_>>()?;
        Ok(TableOne { negatives: labels.negatives(), positives: labels.positives(), rows })
    }
}

/// A baseline table: the patients without and with the event, one row per characteristic.
///
/// ```
/// use alnm_stats::Labels;
/// use alnm_stats::table_one::{Characteristic, TableOne, TableOneParams};
/// let labels = Labels::new(vec![false, false, false, true, true, true]);
/// let age = Characteristic::continuous("age", "years", vec![61.0, 55.0, 58.0, 47.0, 52.0, 43.0]);
/// let receptor = Characteristic::categorical("ER", &["-", "+"], vec![Some(0), Some(1), Some(1), Some(1), None, Some(0)])?;
/// let table = TableOne::new(&labels, &[age, receptor], TableOneParams::default())?;
/// assert_eq!(table.rows()[0].standardised_difference.signum(), 1.0);
/// let printed = table.printed();
/// assert_eq!(printed.to_csv().lines().nth(1), Some("age (years),52.67 ± 6.77,58.00 ± 3.00,47.33 ± 4.51,t,3.411,0.034"));
/// # Ok::<(), alnm_stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TableOne {
    negatives: usize,
    positives: usize,
    rows: Vec<TableRow>,
}

/// A characteristic in the table.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TableRow {
    /// Name of the characteristic.
    pub variable: String,
    /// Unit of the characteristic, empty without one.
    pub unit: String,
    /// Summary of all patients.
    pub overall: GroupSummary,
    /// Summary of the patients without the event.
    pub negative: GroupSummary,
    /// Summary of the patients with the event.
    pub positive: GroupSummary,
    /// The test; `None` when no test applies to the data (a constant characteristic, for instance).
    pub comparison: Option<Comparison>,
    /// Standardised mean difference, negative minus positive; NaN where undefined.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub standardised_difference: f64,
}

/// Summary of one group.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum GroupSummary {
    /// Normal characteristic: printed as mean ± standard deviation.
    MeanSd(Description),
    /// Other numeric characteristic: printed as median [Q1; Q3].
    MedianQuartiles(Description),
    /// Categorical characteristic: counts of the levels.
    Counts {
        /// Names of the levels.
        levels: Vec<String>,
        /// Number of patients at each level.
        counts: Vec<usize>,
        /// Number of patients without a value.
        missing: usize,
    },
}

/// Test of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Comparison {
    /// Which test the rules chose.
    pub test: ComparisonTest,
    /// Its statistic: t, standardised rank sum Z, or χ²; none for Fisher's test.
    pub statistic: Option<f64>,
    /// Its p-value.
    pub p_value: f64,
}

/// Tests of a baseline table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ComparisonTest {
    /// Student's or Welch's t-test.
    TTest,
    /// Mann-Whitney U test.
    MannWhitney,
    /// Pearson's chi-squared test.
    ChiSquared,
    /// Fisher's exact test.
    Fisher,
}

impl TableOne {
    /// The table of the characteristics by outcome, under parameters that are checked first.
    ///
    /// # Errors
    /// As [`TableOneParams::check`] and [`TableOneRules::table`].
    pub fn new(labels: &Labels, characteristics: &[Characteristic], params: TableOneParams) -> Result<Self> {
        params.check()?.table(labels, characteristics)
    }

    /// Number of patients without the event.
    #[must_use]
    pub fn negatives(&self) -> usize {
        self.negatives
    }

    /// Number of patients with the event.
    #[must_use]
    pub fn positives(&self) -> usize {
        self.positives
    }

    /// One row per characteristic.
    #[must_use]
    pub fn rows(&self) -> &[TableRow] {
        &self.rows
    }

    /// The table as journals print it, all cells text: mean ± SD or median [Q1; Q3], counts of a categorical
    /// characteristic in its own line and "count (per cent)" in a line for each level below.
    #[must_use]
    pub fn printed(&self) -> DataTable {
        Printed(self).to_table()
    }
}

/// The printed form of a table.
struct Printed<'a>(&'a TableOne);

impl Tabulate for Printed<'_> {
    const COLUMNS: &'static [&'static str] = &["variable", "overall", "negative", "positive", "test", "statistic", "p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let mut lines = Vec::new();
        for row in &self.0.rows {
            let name =
                if row.unit.is_empty() { row.variable.clone() } else { format!("{} ({})", row.variable, row.unit) };
            let (test, statistic, p) = match row.comparison {
                Some(c) => (
                    c.test.name().to_owned(),
                    c.statistic.map_or(String::new(), |s| format!("{s:.3}")),
                    format_p(c.p_value),
                ),
                None => Default::default(),
            };
            let of = |line: usize| [&row.overall, &row.negative, &row.positive].map(|s| s.line(line));
            let [overall, negative, positive] = of(0);
            lines.push(cells![name, overall, negative, positive, test, statistic, p]);
            if let GroupSummary::Counts { levels, .. } = &row.overall {
                for (l, level) in levels.iter().enumerate() {
                    let [overall, negative, positive] = of(l + 1);
                    lines.push(cells![format!("  {level}"), overall, negative, positive, "", "", ""]);
                }
            }
        }
        lines
    }
}

impl ComparisonTest {
    /// Name as printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TTest => "t",
            Self::MannWhitney => "Mann-Whitney",
            Self::ChiSquared => "chi-squared",
            Self::Fisher => "Fisher",
        }
    }
}

impl GroupSummary {
    /// n, missing, mean, SD, median, Q1, Q3 and share: of the group as a whole, or of the patients at a level.
    fn numbers(&self, level: Option<usize>) -> Vec<Cell> {
        match (self, level) {
            (Self::MeanSd(d) | Self::MedianQuartiles(d), _) => cells![
                d.count,
                d.missing,
                d.mean,
                d.standard_deviation,
                d.median,
                d.first_quartile,
                d.third_quartile,
                Cell::Empty
            ],
            (Self::Counts { counts, missing, .. }, level) => {
                let total: usize = counts.iter().sum();
                let mut numbers = match level {
                    None => cells![total, *missing],
                    Some(level) => cells![counts[level], Cell::Empty],
                };
                numbers.extend(std::iter::repeat_n(Cell::Empty, 5));
                numbers.push(level.map(|level| counts[level] as f64 / total as f64).into());
                numbers
            }
        }
    }

    /// Line 0 is the summary itself; line k of a categorical variable is its level k − 1.
    fn line(&self, line: usize) -> String {
        match self {
            Self::MeanSd(d) => {
                let decimals = decimals(d.mean);
                format!("{:.decimals$} ± {:.decimals$}", d.mean, d.standard_deviation)
            }
            Self::MedianQuartiles(d) => {
                let decimals = decimals(d.median);
                format!("{:.decimals$} [{:.decimals$}; {:.decimals$}]", d.median, d.first_quartile, d.third_quartile)
            }
            Self::Counts { counts, .. } if line > 0 => {
                let total: usize = counts.iter().sum();
                format!("{} ({:.1} %)", counts[line - 1], 100.0 * counts[line - 1] as f64 / total as f64)
            }
            Self::Counts { counts, .. } => counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" / "),
        }
    }
}

/// Decimals that a location is printed with: as many as leave it three digits or so.
fn decimals(location: f64) -> usize {
    match location.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    }
}

/// A p-value as tables print it: three decimals, `<0.001` below.
///
/// ```
/// use alnm_stats::table_one::format_p;
/// assert_eq!((format_p(0.0312), format_p(4e-5)), ("0.031".to_owned(), "<0.001".to_owned()));
/// ```
#[must_use]
pub fn format_p(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

fn row(labels: &Labels, characteristic: &Characteristic, rules: &TableOneParams) -> Result<TableRow> {
    let (overall, negative, positive, comparison, standardised_difference) = match &characteristic.values {
        Values::Continuous(values) => continuous(labels, values, rules)?,
        Values::Categorical { levels, codes } => categorical(labels, levels, codes, rules)?,
    };
    Ok(TableRow {
        variable: characteristic.name.clone(),
        unit: characteristic.unit.clone(),
        overall,
        negative,
        positive,
        comparison,
        standardised_difference,
    })
}

type RowParts = (GroupSummary, GroupSummary, GroupSummary, Option<Comparison>, f64);

fn continuous(labels: &Labels, values: &[f64], rules: &TableOneParams) -> Result<RowParts> {
    let groups = labels.split(values)?;
    let (x, y) = (observed(&groups.negative), observed(&groups.positive));
    let normal = [&x, &y].into_iter().all(|g| shapiro_wilk(g).is_ok_and(|t| t.p_value >= rules.normality_level));
    let summary = |v: &[f64]| {
        let description = Description::of(v, rules.quartiles);
        if normal { GroupSummary::MeanSd(description) } else { GroupSummary::MedianQuartiles(description) }
    };
    // What the data do not support (a constant variable) is an absent test, not a failed table.
    let comparison = if normal {
        two_sample(&x, &y, rules.variances, Alternative::TwoSided, 0.95).ok().map(|t| Comparison {
            test: ComparisonTest::TTest,
            statistic: Some(t.statistic),
            p_value: t.p_value,
        })
    } else {
        mann_whitney(&x, &y, rules.rank_method, Alternative::TwoSided).ok().filter(|t| !t.p_value.is_nan()).map(|t| {
            Comparison {
                test: ComparisonTest::MannWhitney,
                statistic: standardised_rank_sum(&x, &y).ok(),
                p_value: t.p_value,
            }
        })
    };
    let difference = MeanDifference::of(&x, &y).map_or(f64::NAN, |d| d.average_variance);
    Ok((summary(values), summary(&groups.negative), summary(&groups.positive), comparison, difference))
}

fn categorical(
    labels: &Labels,
    levels: &[String],
    codes: &[Option<usize>],
    rules: &TableOneParams,
) -> Result<RowParts> {
    require_same_length("baseline table", labels.len(), codes.len())?;
    let mut counts = [vec![0usize; levels.len()], vec![0usize; levels.len()]];
    let mut missing = [0usize; 2];
    for (&label, code) in labels.as_slice().iter().zip(codes) {
        let group = usize::from(label);
        match *code {
            Some(level) => counts[group][level] += 1,
            None => missing[group] += 1,
        }
    }
    let summary = |counts: Vec<usize>, missing| GroupSummary::Counts { levels: levels.to_vec(), counts, missing };
    let both: Vec<usize> = counts[0].iter().zip(&counts[1]).map(|(a, b)| a + b).collect();
    // Levels that nobody has carry no information and would leave expected counts of 0.
    let used: Vec<usize> = (0..levels.len()).filter(|&l| both[l] > 0).collect();
    let comparison = if used.len() < 2 || counts.iter().any(|group| group.iter().all(|&count| count == 0)) {
        None
    } else {
        let table = CountTable::new(Array2::from_shape_fn((2, used.len()), |(g, l)| counts[g][used[l]] as u64))?;
        Some(compare(&table, rules)?)
    };
    let as_values = |g: usize| used.iter().map(|&l| counts[g][l] as f64).collect::<Vec<_>>();
    let difference = multinomial_difference(&as_values(0), &as_values(1)).unwrap_or(f64::NAN);
    let [negative, positive] = counts;
    Ok((
        summary(both, missing[0] + missing[1]),
        summary(negative, missing[0]),
        summary(positive, missing[1]),
        comparison,
        difference,
    ))
}

fn compare(table: &CountTable, rules: &TableOneParams) -> Result<Comparison> {
    let chi_squared = table.chi_squared(rules.yates);
    let smallest = chi_squared.expected.iter().copied().fold(f64::INFINITY, f64::min);
    if smallest >= rules.smallest_expected {
        let t = chi_squared.test;
        return Ok(Comparison { test: ComparisonTest::ChiSquared, statistic: Some(t.statistic), p_value: t.p_value });
    }
    let test = if table.counts().dim() == (2, 2) {
        fisher::two_by_two(table, Alternative::TwoSided, 0.95)?
    } else {
        fisher::any_size(table, rules.fisher)?
    };
    Ok(Comparison { test: ComparisonTest::Fisher, statistic: None, p_value: test.p_value })
}

/// All numbers of the table: one row per numeric characteristic, for a categorical one a row without level for all its
/// values together and one row per level.
impl Tabulate for TableOne {
    const COLUMNS: &'static [&'static str] = &[
        "variable",
        "unit",
        "level",
        "overall n",
        "overall missing",
        "overall mean",
        "overall SD",
        "overall median",
        "overall Q1",
        "overall Q3",
        "overall share",
        "negative n",
        "negative missing",
        "negative mean",
        "negative SD",
        "negative median",
        "negative Q1",
        "negative Q3",
        "negative share",
        "positive n",
        "positive missing",
        "positive mean",
        "positive SD",
        "positive median",
        "positive Q1",
        "positive Q3",
        "positive share",
        "test",
        "statistic",
        "p",
        "standardised difference",
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let groups = [&row.overall, &row.negative, &row.positive];
            let mut line = cells![&row.variable, &row.unit, Cell::Empty];
            line.extend(groups.iter().flat_map(|group| group.numbers(None)));
            line.extend(cells![
                row.comparison.map(|c| c.test.name()),
                row.comparison.and_then(|c| c.statistic),
                row.comparison.map(|c| c.p_value),
                row.standardised_difference
            ]);
            lines.push(line);
            if let GroupSummary::Counts { levels, .. } = &row.overall {
                for (index, level) in levels.iter().enumerate() {
                    let mut line = cells![&row.variable, &row.unit, level];
                    line.extend(groups.iter().flat_map(|group| group.numbers(Some(index))));
                    line.extend(cells![Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty]);
                    lines.push(line);
                }
            }
        }
        lines
    }
}

#[cfg(feature = "serde")]
crate::reading::checked_on_reading! {
    TableOne { negatives: usize, positives: usize, rows: Vec<TableRow> }
}

#[cfg(feature = "serde")]
impl TableOne {
    /// What contradicts itself in a value from a file.
    fn check(&self) -> crate::reading::Checked {
        let Self { negatives, positives, rows } = self;
        let all = negatives.checked_add(*positives);
        let Some(all) = all.filter(|_| *negatives > 0 && *positives > 0) else {
            return Err(format!(
                "groups of a baseline table are {negatives} and {positives}; both must have a patient"
            ));
        };
        rows.iter().try_for_each(|row| {
            row.check([all, *negatives, *positives])
                .map_err(|problem| format!("row {:?} of a baseline table {problem}", row.variable))
        })
    }
}

#[cfg(feature = "serde")]
impl TableRow {
    /// What contradicts itself or the sizes of the groups (overall, negative, positive).
    fn check(&self, sizes: [usize; 3]) -> std::result::Result<(), &'static str> {
        use GroupSummary::{Counts, MeanSd, MedianQuartiles};
        let groups = [&self.overall, &self.negative, &self.positive];
        for (group, size) in groups.iter().zip(sizes) {
            let patients = match group {
                MeanSd(d) | MedianQuartiles(d) => d.count.checked_add(d.missing),
                Counts { counts, missing, .. } => counts.iter().try_fold(*missing, |sum, c| sum.checked_add(*c)),
            };
            if patients != Some(size) {
                return Err("has another number of patients than its groups");
            }
        }
        match groups {
            [MeanSd(_), MeanSd(_), MeanSd(_)] | [MedianQuartiles(_), MedianQuartiles(_), MedianQuartiles(_)] => {}
            [
                Counts { levels, counts, .. },
                Counts { levels: first, counts: negative, .. },
                Counts { levels: second, counts: positive, .. },
            ] => {
                if levels != first
                    || levels != second
                    || [counts, negative, positive].iter().any(|c| c.len() != levels.len())
                {
                    return Err("has other levels in its groups");
                }
                if (0..levels.len()).any(|l| counts[l] != negative[l] + positive[l]) {
                    return Err("has counts that do not add up");
                }
            }
            _ => return Err("is summarised in several ways"),
        }
        match self.comparison {
            Some(c) if !(0.0..=1.0).contains(&c.p_value) => Err("has a p-value outside 0 to 1"),
            _ => Ok(()),
        }
    }
}
