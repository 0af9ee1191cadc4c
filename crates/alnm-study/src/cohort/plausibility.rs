//! Checks over whole columns and across columns: values that are plausible one by one and wrong together.

use std::collections::BTreeMap;

use alnm_stats::describe::median;

use super::columns::{QUANTITIES, Quantity};
use super::spreadsheet::counted;
use super::{Markers, Problem, Subtype};

/// Fewest values of a centre of which a median is judged.
const FEWEST: usize = 5;
/// From this factor on the medians of two centres are in different units.
const APART: f64 = 4.0;
/// Cells that are neither counted among neutrophils, lymphocytes and monocytes nor rounding: none may be negative.
const COUNT_TOLERANCE: f64 = 0.02;

/// The columns of a table as they were read: one entry for each row.
#[derive(Debug, Default)]
pub(super) struct ReadColumns {
    pub(super) ids: Vec<String>,
    pub(super) centres: Vec<String>,
    pub(super) numbers: BTreeMap<&'static str, Vec<Option<f64>>>,
    pub(super) markers: Vec<Markers>,
    pub(super) subtypes: Vec<Option<Subtype>>,
}

/// A problem, and the row that it concerns where it is one.
pub(super) type Located = (Option<usize>, Problem);

impl ReadColumns {
    fn number(&self, column: &str, row: usize) -> Option<f64> {
        self.numbers.get(column).and_then(|values| values[row])
    }

    /// The centres with their rows.
    fn by_centre(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (row, centre) in self.centres.iter().enumerate() {
            rows.entry(centre).or_default().push(row);
        }
        rows
    }

    /// Everything that is wrong across columns.
    pub(super) fn check(&self, training_centre: Option<&str>) -> Vec<Located> {
        let mut found = self.leucocytes();
        found.extend(self.swapped_counts());
        found.extend(self.subtypes_against_receptors());
        found.extend(self.equal_rows());
        found.extend(QUANTITIES.iter().filter_map(|quantity| self.centres_apart(quantity)));
        if let Some(centre) = training_centre {
            found.extend(QUANTITIES.iter().filter_map(|quantity| self.constant(quantity, centre)));
        }
        found
    }

    /// White cells are at least the kinds of them that were counted, and the larger part of them was.
    fn leucocytes(&self) -> Vec<Located> {
        let of_row = |row: usize| -> Option<(f64, f64)> {
            let (n, l) = (self.number("neutrophils", row)?, self.number("lymphocytes", row)?);
            Some((n + l + self.number("monocytes", row).unwrap_or(0.0), self.number("wbc", row)?))
        };
        let rows: Vec<(usize, f64, f64)> =
            (0..self.ids.len()).filter_map(|row| of_row(row).map(|(parts, wbc)| (row, parts, wbc))).collect();
        let fix = "check the counts and their units (10^9/L); counts in percent of wbc have to be converted";
        let faults: Vec<Located> = rows
            .iter()
            .filter(|(_, parts, wbc)| *parts > wbc * (1.0 + COUNT_TOLERANCE) + COUNT_TOLERANCE)
            .map(|&(row, parts, wbc)| {
                let what =
                    format!("{wbc} is less than neutrophils, lymphocytes and monocytes together ({})", short(parts));
                (Some(row), Problem::of_patient(&self.ids[row], "column wbc", what, fix))
            })
            .collect();
        let phrase = "wbc is less than neutrophils, lymphocytes and monocytes together";
        let mut found = shared(faults, rows.len(), "columns neutrophils to wbc", phrase, fix);
        let shares: Vec<f64> = rows.iter().map(|(_, parts, wbc)| parts / wbc).collect();
        let share = median(&shares);
        if share < 0.4 && rows.len() >= FEWEST {
            let percent = format!("{:.2}", 100.0 * share);
            let what = format!(
                "neutrophils, lymphocytes and monocytes together are {percent} % of wbc in the median, where 95 % are usual"
            );
            found.push((None, Problem::of_cohort("columns neutrophils to wbc", what, fix)));
        }
        found
    }

    /// Most people have more neutrophils than lymphocytes.
    fn swapped_counts(&self) -> Option<Located> {
        let is_fewer = |&row: &usize| Some(self.number("neutrophils", row)? < self.number("lymphocytes", row)?);
        let of_centre = |(centre, rows): (&str, Vec<usize>)| {
            let known: Vec<bool> = rows.iter().filter_map(is_fewer).collect();
            let fewer = known.iter().filter(|fewer| **fewer).count();
            let is_most = known.len() >= FEWEST && 4 * fewer > 3 * known.len();
            is_most.then(|| format!("{fewer} of {} patients of centre `{centre}`", known.len()))
        };
        let centres: Vec<String> = self.by_centre().into_iter().filter_map(of_centre).collect();
        (!centres.is_empty()).then(|| {
            let what =
                format!("{} have fewer neutrophils than lymphocytes, where a quarter is usual", centres.join(" and "));
            let fix = "the two columns look exchanged: correct the header or [columns]";
            (None, Problem::of_cohort("columns neutrophils, lymphocytes", what, fix))
        })
    }

    fn subtypes_against_receptors(&self) -> Vec<Located> {
        let faults: Vec<Located> = (0..self.ids.len())
            .filter_map(|row| {
                let against = self.subtypes[row]?.against(&self.markers[row])?;
                let what = format!("{} with {against}", self.subtypes[row]?.name());
                let fix = "correct the subtype or the receptors";
                Some((Some(row), Problem::of_patient(&self.ids[row], "column subtype", what, fix).unused()))
            })
            .collect();
        let known = self.subtypes.iter().flatten().count();
        let fix = "check the columns and their codes in cohort.toml";
        shared(faults, known, "column subtype", "the subtype contradicts the receptors", fix)
    }

    /// Two rows that agree in every measurement are one patient.
    fn equal_rows(&self) -> Vec<Located> {
        let mut seen: BTreeMap<Vec<Option<u64>>, usize> = BTreeMap::new();
        let mut found = Vec::new();
        for row in 0..self.ids.len() {
            let values: Vec<Option<u64>> =
                QUANTITIES.iter().map(|quantity| self.number(quantity.name, row).map(f64::to_bits)).collect();
            if values.iter().flatten().count() < QUANTITIES.len() - 2 {
                continue;
            }
            match seen.get(&values) {
                None => drop(seen.insert(values, row)),
                Some(&first) => {
                    let what = format!("every measurement equals that of patient {}", self.ids[first]);
                    let fix = "they look like one patient: keep one row";
                    found.push((
                        Some(row),
                        Problem::of_patient(&self.ids[row], "columns age_years to platelets", what, fix),
                    ));
                }
            }
        }
        found
    }

    fn medians(&self, quantity: &Quantity) -> Vec<(&str, f64)> {
        let of_centre = |(centre, rows): (_, Vec<usize>)| {
            let values: Vec<f64> = rows.iter().filter_map(|&row| self.number(quantity.name, row)).collect();
            (values.len() >= FEWEST).then(|| (centre, median(&values)))
        };
        self.by_centre().into_iter().filter_map(of_centre).collect()
    }

    /// Centres whose medians lie so far apart that one is in another unit.
    fn centres_apart(&self, quantity: &Quantity) -> Option<Located> {
        let medians = self.medians(quantity);
        let least = medians.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let most = medians.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (most.1 > APART * least.1).then(|| {
            let unit = quantity.unit;
            let what = format!(
                "the median is {} {unit} in centre `{}` and {} in centre `{}`",
                short(most.1),
                most.0,
                short(least.1),
                least.0
            );
            let fix = format!("write {unit} in all centres");
            (None, Problem::of_cohort(format!("column {}", quantity.name), what, fix))
        })
    }

    /// A column without variation in the training centre, from which nothing can be learned.
    fn constant(&self, quantity: &Quantity, centre: &str) -> Option<Located> {
        let rows = (0..self.ids.len()).filter(|&row| self.centres[row] == centre);
        let values: Vec<f64> = rows.filter_map(|row| self.number(quantity.name, row)).collect();
        let first = *values.first()?;
        (values.len() >= FEWEST && values.iter().all(|value| *value == first)).then(|| {
            let what = format!("all {} values of the training centre are {first}", values.len());
            let fix = "correct the column: a model learns nothing from it";
            (None, Problem::of_cohort(format!("column {}", quantity.name), what, fix))
        })
    }
}

/// The centres of a column whose values are in another unit as a whole, and what is wrong; `None` where there is none.
/// `values` are in the unit of the quantity.
pub(super) fn in_another_unit<'a>(
    quantity: &Quantity,
    values: &[Option<f64>],
    centres: &'a [String],
) -> Option<(Vec<&'a str>, Problem)> {
    let (improbable, unit) = quantity.improbable_median?;
    let mut by_centre: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (value, centre) in values.iter().zip(centres) {
        by_centre.entry(centre).or_default().extend(value);
    }
    let of_centre = |(centre, values): (&'a str, Vec<f64>)| {
        let count = values.len();
        let middle = Some(median(&values)).filter(|median| *median > improbable && count >= FEWEST)?;
        let text =
            format!("{} {} for the {} of centre `{centre}`", short(middle), quantity.unit, counted(count, "value"));
        Some((centre, text))
    };
    let (found, texts): (Vec<&str>, Vec<String>) = by_centre.into_iter().filter_map(of_centre).unzip();
    let what = format!("the median is {}, so they are in {unit}", texts.join(" and "));
    let fix = format!(
        "write {}, or declare [columns] {1} = {{ column = \"{1}\", unit = \"{unit}\" }} in cohort.toml",
        quantity.unit, quantity.name
    );
    let problem = Problem::of_cohort(format!("column {}", quantity.name), what, fix);
    (!found.is_empty()).then_some((found, problem))
}

/// One problem of the column instead of those of its cells, where most cells have it.
fn shared(faults: Vec<Located>, known: usize, place: &str, phrase: &str, fix: &str) -> Vec<Located> {
    if !is_of_column(faults.len(), known) {
        return faults;
    }
    let is_unused = faults.iter().all(|(_, problem)| problem.is_of_unused_value());
    let rows =
        if faults.len() == known { format!("all {known} rows") } else { format!("{} of {known} rows", faults.len()) };
    let problem = Problem::of_cohort(place, format!("in {rows} {phrase}"), fix);
    vec![(None, if is_unused { problem.unused() } else { problem })]
}

/// Whether so many faults are one of the column.
pub(super) fn is_of_column(faults: usize, cells: usize) -> bool {
    faults >= 3 && 2 * faults >= cells
}

/// A number with four significant digits at most.
fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

impl Subtype {
    /// What the receptors say against the subtype, by its definition: luminal tumours have a hormone receptor, luminal
    /// A has no HER2, HER2-positive ones have HER2 and no hormone receptor, and triple-negative ones have none of the
    /// three.
    fn against(self, markers: &Markers) -> Option<String> {
        let Markers { pr, er, her2, .. } = *markers;
        let (has, lacks) = (Some(true), Some(false));
        let hormones = [("ER", er), ("PR", pr)];
        let positive = |all: &[(&str, Option<bool>)]| {
            let names: Vec<String> =
                all.iter().filter(|(_, value)| *value == has).map(|(name, _)| format!("{name} positive")).collect();
            (!names.is_empty()).then(|| names.join(" and "))
        };
        match self {
            Self::LuminalA | Self::LuminalB if er == lacks && pr == lacks => Some("ER and PR negative".to_owned()),
            Self::LuminalA => positive(&[("HER2", her2)]),
            Self::LuminalB => None,
            Self::Her2Positive if her2 == lacks => Some("HER2 negative".to_owned()),
            Self::Her2Positive => positive(&hormones),
            Self::TripleNegative => positive(&[hormones[0], hormones[1], ("HER2", her2)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtypes_are_held_against_their_definitions() {
        let markers =
            |er: bool, pr: bool, her2: bool| Markers { er: Some(er), pr: Some(pr), her2: Some(her2), ki67: None };
        let against = |subtype: Subtype, er, pr, her2| subtype.against(&markers(er, pr, her2));
        assert_eq!(
            against(Subtype::TripleNegative, true, false, true),
            Some("ER positive and HER2 positive".to_owned())
        );
        assert_eq!(against(Subtype::TripleNegative, false, false, false), None);
        assert_eq!(against(Subtype::LuminalA, false, true, false), None);
        assert!(against(Subtype::LuminalA, true, true, true).is_some());
        assert!(against(Subtype::LuminalB, false, false, true).is_some());
        assert_eq!(against(Subtype::LuminalB, true, false, true), None);
        assert!(against(Subtype::Her2Positive, false, false, false).is_some());
        let unknown = Markers { er: None, pr: None, her2: None, ki67: None };
        assert!(Subtype::ALL.iter().all(|subtype| subtype.against(&unknown).is_none()));
    }
}
