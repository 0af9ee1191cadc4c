//! The baseline table of a two-group study, with tests chosen by stated rules.

use ndarray::Array2;

use crate::contingency::CountTable;
use crate::data_table::{Cell, Tabulate};
use crate::describe::{Description, QuantileType};
use crate::effect_size::{MeanDifference, multinomial_difference};
use crate::error::{Result, StatsError, require_same_length};
use crate::fisher::{self, FisherMethod};
use crate::normality::shapiro_wilk;
use crate::rank_sum::{RankMethod, mann_whitney, standardised_rank_sum};
use crate::t_test::{GroupVariance, two_sample};
use crate::{Alternative, Labels, missing::observed};

/// A column of the study's data.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Variable {
    /// Name as printed.
    pub name: String,
    /// Unit as printed, empty without one.
    pub unit: String,
    /// The values, one a patient.
    pub values: Values,
}

/// Values of a variable.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Values {
    /// Numbers; NaN is missing.
    Continuous(Vec<f64>),
    /// Categories.
    Categorical {
        /// Names of the levels, in the order of print.
        levels: Vec<String>,
        /// Index into the levels, `None` is missing.
        codes: Vec<Option<usize>>,
    },
}

impl Variable {
    /// A numeric variable.
    #[must_use]
    pub fn continuous(name: &str, unit: &str, values: Vec<f64>) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), values: Values::Continuous(values) }
    }

    /// A categorical variable with its levels in the order of print.
    #[must_use]
    pub fn categorical(name: &str, levels: &[&str], codes: Vec<Option<usize>>) -> Self {
        let levels = levels.iter().map(|l| (*l).to_owned()).collect();
        Self { name: name.to_owned(), unit: String::new(), values: Values::Categorical { levels, codes } }
    }
}

/// The rules by which summaries and tests are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TableRules {
    /// A numeric variable counts as normal when the Shapiro-Wilk p-value of both groups is at least this; default 0.05.
    /// A group of fewer than 3 values or without variation counts as not normal.
    pub normality_level: f64,
    /// Variances of the t-test of normal variables; default Welch.
    pub variances: GroupVariance,
    /// Method of the Mann-Whitney test of other variables; default R's rule.
    pub rank_method: RankMethod,
    /// Definition of the quartiles; default type 7.
    pub quartiles: QuantileType,
    /// Yates' correction of 2 × 2 tables; default off.
    pub yates: bool,
    /// Fisher's exact test replaces the chi-squared test when the smallest expected count is below this; default 5.
    pub smallest_expected: f64,
    /// Method of Fisher's test of tables larger than 2 × 2.
    pub fisher: FisherMethod,
}

impl Default for TableRules {
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

/// A baseline table.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TableOne {
    /// Number of patients without the event.
    pub negatives: usize,
    /// Number of patients with the event.
    pub positives: usize,
    /// One row a variable.
    pub rows: Vec<TableRow>,
}

/// A variable of the table.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TableRow {
    /// Name of the variable.
    pub variable: String,
    /// Unit of the variable.
    pub unit: String,
    /// Summary of all patients.
    pub overall: GroupSummary,
    /// Summary of the patients without the event.
    pub negative: GroupSummary,
    /// Summary of the patients with the event.
    pub positive: GroupSummary,
    /// The test; `None` when no test applies to the data (a constant variable, for instance).
    pub comparison: Option<Comparison>,
    /// Standardised mean difference, negative minus positive; NaN where undefined.
    #[cfg_attr(feature = "serde", serde(with = "crate::nonfinite"))]
    pub standardised_difference: f64,
}

/// Summary of one group.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum GroupSummary {
    /// Normal variable: mean ± standard deviation.
    MeanSd(Description),
    /// Other numeric variable: median [Q1; Q3].
    MedianQuartiles(Description),
    /// Categorical variable: counts of the levels.
    Counts {
        /// Names of the levels.
        levels: Vec<String>,
        /// Patients at each level.
        counts: Vec<usize>,
        /// Patients without a value.
        missing: usize,
    },
}

/// Test of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// Builds the table of the variables by outcome.
    ///
    /// # Errors
    /// [`StatsError::OneClass`] when a group is empty, [`StatsError::LengthMismatch`] when a variable has another
    /// length than the labels, [`StatsError::Parameter`] for a category code without a level.
    ///
    /// ```
    /// use alnm_stats::{Labels, table_one::{TableOne, TableRules, Variable}};
    /// let labels = Labels::new(vec![false, false, false, true, true, true]);
    /// let age = Variable::continuous("age", "years", vec![61.0, 55.0, 58.0, 47.0, 52.0, 43.0]);
    /// let table = TableOne::new(&labels, &[age], &TableRules::default())?;
    /// assert_eq!(table.cells()[1][0], "age (years)");
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn new(labels: &Labels, variables: &[Variable], rules: &TableRules) -> Result<Self> {
        labels.require_both("baseline table")?;
        let rows = variables.iter().map(|v| row(labels, v, rules)).collect::<Result<_>>()?;
        Ok(Self { negatives: labels.negatives(), positives: labels.positives(), rows })
    }

    /// The table as text cells, a header first; a categorical variable takes one line a level after its own.
    #[must_use]
    pub fn cells(&self) -> Vec<Vec<String>> {
        let mut cells = vec![Self::COLUMNS.iter().map(|c| (*c).to_owned()).collect()];
        for row in &self.rows {
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
            cells.push(vec![name, overall, negative, positive, test, statistic, p]);
            if let GroupSummary::Counts { levels, .. } = &row.overall {
                for (l, level) in levels.iter().enumerate() {
                    let [overall, negative, positive] = of(l + 1);
                    cells.push(vec![
                        format!("  {level}"),
                        overall,
                        negative,
                        positive,
                        String::new(),
                        String::new(),
                        String::new(),
                    ]);
                }
            }
        }
        cells
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
    /// Line 0 is the summary itself; line k of a categorical variable is its level k − 1.
    fn line(&self, line: usize) -> String {
        match self {
            Self::MeanSd(d) => format!("{:.2} ± {:.2}", d.mean, d.standard_deviation),
            Self::MedianQuartiles(d) => format!("{:.3} [{:.3}; {:.3}]", d.median, d.first_quartile, d.third_quartile),
            Self::Counts { counts, .. } if line > 0 => {
                let total: usize = counts.iter().sum();
                format!("{} ({:.1} %)", counts[line - 1], 100.0 * counts[line - 1] as f64 / total as f64)
            }
            Self::Counts { counts, .. } => counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" / "),
        }
    }
}

/// A p-value as tables print it: three decimals, `<0.001` below.
#[must_use]
pub fn format_p(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

fn row(labels: &Labels, variable: &Variable, rules: &TableRules) -> Result<TableRow> {
    let (overall, negative, positive, comparison, standardised_difference) = match &variable.values {
        Values::Continuous(values) => continuous(labels, values, rules)?,
        Values::Categorical { levels, codes } => categorical(labels, levels, codes, rules)?,
    };
    Ok(TableRow {
        variable: variable.name.clone(),
        unit: variable.unit.clone(),
        overall,
        negative,
        positive,
        comparison,
        standardised_difference,
    })
}

type RowParts = (GroupSummary, GroupSummary, GroupSummary, Option<Comparison>, f64);

fn continuous(labels: &Labels, values: &[f64], rules: &TableRules) -> Result<RowParts> {
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

fn categorical(labels: &Labels, levels: &[String], codes: &[Option<usize>], rules: &TableRules) -> Result<RowParts> {
    require_same_length("baseline table", labels.len(), codes.len())?;
    let mut counts = [vec![0usize; levels.len()], vec![0usize; levels.len()]];
    let mut missing = [0usize; 2];
    for (&label, code) in labels.as_slice().iter().zip(codes) {
        let group = usize::from(label);
        match *code {
            Some(c) if c < levels.len() => counts[group][c] += 1,
            Some(c) => {
                return Err(StatsError::parameter("category code", c, "below the number of levels"));
            }
            None => missing[group] += 1,
        }
    }
    let summary = |counts: Vec<usize>, missing| GroupSummary::Counts { levels: levels.to_vec(), counts, missing };
    let both: Vec<usize> = counts[0].iter().zip(&counts[1]).map(|(a, b)| a + b).collect();
    // Levels that nobody has carry no information and would leave expected counts of 0.
    let used: Vec<usize> = (0..levels.len()).filter(|&l| both[l] > 0).collect();
    let comparison = if used.len() < 2 {
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

fn compare(table: &CountTable, rules: &TableRules) -> Result<Comparison> {
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

impl Tabulate for TableOne {
    const COLUMNS: &'static [&'static str] = &["variable", "overall", "negative", "positive", "test", "statistic", "p"];

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.cells().into_iter().skip(1).map(|row| row.into_iter().map(Cell::from).collect()).collect()
    }
}
