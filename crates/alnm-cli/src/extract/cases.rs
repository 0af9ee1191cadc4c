//! The cases to extract.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use super::ExtractArgs;
use super::log::Log;
use super::table::{Cell, Row};

/// An image with its mask.
#[derive(Debug)]
pub(super) struct Case {
    /// From 1, in the order of the batch.
    pub(super) number: usize,
    pub(super) image: PathBuf,
    pub(super) mask: PathBuf,
    pub(super) label: Option<u32>,
    pub(super) label_channel: Option<usize>,
    /// The columns of the batch, copied to the output.
    pub(super) columns: Row,
}

/// The regions wanted of each mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Labels {
    All,
    Some(Vec<u32>),
    Union,
}

impl FromStr for Labels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "union" => Ok(Self::Union),
            _ => {
                let labels = text.split(',').map(|label| label.trim().parse().ok().filter(|&label| label > 0));
                labels
                    .collect::<Option<_>>()
                    .map(Self::Some)
                    .ok_or_else(|| "it has to be all, union or whole numbers above 0".to_owned())
            }
        }
    }
}

/// One of several equal parts of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 1.
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some(Self { index: index.parse().ok()?, count: count.parse().ok()? }));
        parts
            .filter(|shard| (1..=shard.count).contains(&shard.index))
            .ok_or_else(|| "it has to be I/N with I from 1 to N, such as 3/8".to_owned())
    }
}

impl Shard {
    /// Whether the part holds a case.
    fn holds(self, number: usize) -> bool {
        (number - 1) % self.count == self.index - 1
    }
}

/// The folder that paths in the output are relative to: that of the batch, or the current one.
pub(super) fn base_folder(arguments: &ExtractArgs) -> PathBuf {
    let folder = if is_batch(&arguments.input) { arguments.input.parent() } else { None };
    folder.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn is_batch(input: &Path) -> bool {
    input.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// The cases of a batch, or the one of the command line.
pub(super) fn read(arguments: &ExtractArgs, log: &Log) -> Result<Vec<Case>> {
    let mut cases = if is_batch(&arguments.input) {
        read_batch(&arguments.input, log)?
    } else {
        let mask = arguments.mask.clone().context("the input is no CSV file, and no mask is given")?;
        let text = |path: &Path| Cell::Text(path.to_string_lossy().into_owned());
        let columns = vec![("Image".to_owned(), text(&arguments.input)), ("Mask".to_owned(), text(&mask))];
        vec![Case { number: 1, image: arguments.input.clone(), mask, label: None, label_channel: None, columns }]
    };
    if let Some(shard) = arguments.shard {
        cases.retain(|case| shard.holds(case.number));
    }
    Ok(cases)
}

fn read_batch(path: &Path, log: &Log) -> Result<Vec<Case>> {
    let shown = path.display();
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).from_path(path).with_context(|| format!("cannot read {shown}"))?;
    let headers = reader.headers().with_context(|| format!("cannot read {shown}"))?.clone();
    for required in ["Image", "Mask"] {
        if !headers.iter().any(|header| header == required) {
            bail!("{shown} has no column {required}");
        }
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut cases = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("cannot read {shown}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |name: &str| {
            let column = headers.iter().position(|header| header == name)?;
            record.get(column).filter(|text| !text.is_empty())
        };
        let (Some(image), Some(mask)) = (field("Image"), field("Mask")) else {
            log.warning(format_args!("{shown}, line {line}: a case without image or mask is left out"));
            continue;
        };
        let (image, mask) = (folder.join(image), folder.join(mask));
        let number = |name: &str| -> Result<Option<u32>> {
            let parsed = field(name).map(|text| {
                text.parse().with_context(|| format!("{shown}, line {line}: {name} {text} is no whole number"))
            });
            parsed.transpose()
        };
        let (label, channel) = (number("Label")?, number("Label_channel")?);
        let columns = headers.iter().zip(record.iter()).map(|(name, text)| {
            let text = match name {
                "Image" => image.to_string_lossy().into_owned(),
                "Mask" => mask.to_string_lossy().into_owned(),
                _ => text.to_owned(),
            };
            (name.to_owned(), Cell::Text(text))
        });
        let columns = columns.collect();
        cases.push(Case {
            number: cases.len() + 1,
            image,
            mask,
            label,
            label_channel: channel.map(|channel| channel as usize),
            columns,
        });
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_case_once() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().unwrap()).collect();
        for number in 1..20 {
            assert_eq!(shards.iter().filter(|shard| shard.holds(number)).count(), 1);
        }
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_are_read() {
        assert_eq!("all".parse(), Ok(Labels::All));
        assert_eq!("2, 5".parse(), Ok(Labels::Some(vec![2, 5])));
        assert!("0".parse::<Labels>().is_err());
    }
}
