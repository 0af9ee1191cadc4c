//! Reporting checklists, filled in where the software knows the answer.
//!
//! Numbers and topics follow CLEAR 1.0 (Kocak et al. 2023), METRICS 1.0 (Kocak et al. 2024) and TRIPOD+AI (Collins et
//! al. 2024); the wording is our own, and the published lists are the authority. For PROBAST+AI (Moons et al. 2025),
//! with which others judge a study, topics of its four domains stand here, for development and evaluation, without its
//! numbers.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Findings;
use super::table::Table;

/// What an item says that the software cannot answer.
const FOR_THE_AUTHORS: &str = "for the authors";

/// A checklist of the page.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Checklist {
    /// Its name.
    name: String,
    /// Name of its CSV file.
    file: String,
    /// Its items.
    items: Vec<Item>,
    /// How many of them are answered.
    answered: usize,
}

/// An item of a checklist.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Item {
    /// Number in the published list.
    number: String,
    /// Its topic in our own words.
    item: String,
    /// Section of the page that answers it; empty where that is for the authors.
    section: String,
    /// What to look for there.
    answer: String,
}

const LISTS: [(&str, &str, &str); 4] = [
    ("CLEAR", "clear", include_str!("checklists/clear.csv")),
    ("METRICS", "metrics", include_str!("checklists/metrics.csv")),
    ("TRIPOD+AI", "tripod_ai", include_str!("checklists/tripod_ai.csv")),
    ("PROBAST+AI", "probast_ai", include_str!("checklists/probast_ai.csv")),
];

/// The checklists for this run.
pub(super) fn all(findings: &Findings<'_>) -> Result<Vec<Checklist>> {
    let mut lists = read()?;
    let comparison = match (&findings.inputs.agreement, &findings.images.reliability) {
        (Some(_), _) => ReaderComparison::OfTheCohort,
        (None, Some(_)) => ReaderComparison::Earlier,
        (None, None) => ReaderComparison::NotDone,
    };
    answer_on_readers(&mut lists, comparison);
    Ok(lists)
}

/// How it is known which features readers agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReaderComparison {
    /// Training patients were outlined by two readers.
    OfTheCohort,
    /// From a table that was made before the study.
    Earlier,
    /// Not at all.
    NotDone,
}

/// Answers the items on the agreement of readers, which the lists take for one of the cohort.
fn answer_on_readers(lists: &mut [Checklist], comparison: ReaderComparison) {
    let answer = match comparison {
        ReaderComparison::OfTheCohort => return,
        ReaderComparison::Earlier => "by an earlier comparison of readers, whose table the cohort names",
        ReaderComparison::NotDone => "not done: no training patients were outlined by two readers",
    };
    for (list, number) in [("CLEAR", "31"), ("METRICS", "14")] {
        let items =
            lists.iter_mut().filter(|checklist| checklist.name == list).flat_map(|checklist| &mut checklist.items);
        items.filter(|item| item.number == number).for_each(|item| item.answer = answer.to_owned());
    }
}

fn read() -> Result<Vec<Checklist>> {
    LISTS
        .iter()
        .map(|&(name, file, text)| {
            let items: Vec<Item> = csv::Reader::from_reader(text.as_bytes())
                .deserialize()
                .collect::<Result<_, _>>()
                .with_context(|| format!("checklist {name}"))?;
            let answered = items.iter().filter(|item| !item.section.is_empty()).count();
            Ok(Checklist { name: name.to_owned(), file: file.to_owned(), items, answered })
        })
        .collect()
}

impl Checklist {
    /// The checklist as a table.
    pub(super) fn table(&self) -> Table {
        let rows = self.items.iter().map(|item| {
            let place = if item.section.is_empty() { FOR_THE_AUTHORS } else { &item.section };
            [item.number.as_str(), &item.item, place, &item.answer].map(str::to_owned).to_vec()
        });
        Table::new(&self.file, &self.name, &["number", "item", "section of the report", "answer"], rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use alnm_stats::data_table::Cell;

    use super::*;

    #[test]
    fn an_earlier_comparison_of_readers_is_named_and_none_is_said() {
        let answers = |comparison| {
            let mut lists = read().unwrap();
            answer_on_readers(&mut lists, comparison);
            let item = |list: &str, number: &str| {
                let list = lists.iter().find(|checklist| checklist.name == list).unwrap();
                list.items.iter().find(|item| item.number == number).unwrap().answer.clone()
            };
            [item("CLEAR", "31"), item("METRICS", "14")]
        };
        assert!(answers(ReaderComparison::OfTheCohort).iter().all(String::is_empty));
        assert!(answers(ReaderComparison::Earlier).iter().all(|answer| answer.starts_with("by an earlier comparison")));
        assert!(answers(ReaderComparison::NotDone).iter().all(|answer| answer.starts_with("not done")));
    }

    #[test]
    fn the_lists_have_the_published_numbers_and_point_to_sections_of_the_page() {
        let lists = read().unwrap();
        let numbers = |list: usize| lists[list].items.iter().map(|item| item.number.clone()).collect::<Vec<_>>();
        let up_to = |last: usize| (1..=last).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(numbers(0), up_to(58));
        assert_eq!(numbers(1), up_to(30));
        let tripod = numbers(2);
        assert_eq!((tripod.len(), tripod.last().map(String::as_str)), (52, Some("27c")));
        let domains = numbers(3);
        let of_part = |part: &str| domains.iter().filter(|number| number.starts_with(part)).count();
        assert_eq!((of_part("D"), of_part("E"), domains.len()), (16, 16, 32));
        let page = include_str!("report.html");
        for item in lists.iter().flat_map(|list| &list.items).filter(|item| !item.section.is_empty()) {
            assert!(
                page.contains(&format!("id=\"{}\"", item.section)),
                "item {} points to {}",
                item.number,
                item.section
            );
        }
        for list in &lists {
            assert!(list.answered > 0 && list.answered < list.items.len(), "some answers are for the authors");
            assert_eq!(
                list.table().data().rows().filter(|row| row[2] == Cell::from(FOR_THE_AUTHORS)).count(),
                list.items.len() - list.answered
            );
        }
    }
}
