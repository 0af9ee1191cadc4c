//! The report as a Word document: text, tables and checklists in an OOXML package, as journals ask for.

use std::fmt::Write as _;
use std::io::Write as _;

use alnm_selection::signature::Weight;
use anyhow::Result;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::checklist::Checklist;
use super::table::{ShownTable, Table};
use super::{Figure, Findings, methods};
use crate::study::Study;

/// Width of the text of a page on its side in twentieths of a point: A4 less two margins of 2 cm.
const LANDSCAPE_WIDTH: usize = 14_570;
/// The letters that a column is as wide as, at least and at most.
const COLUMN_LETTERS: [usize; 2] = [5, 36];

const CONTENT_TYPES: &str = include_str!("word/content_types.xml");
const PACKAGE_RELATIONS: &str = include_str!("word/package_relations.xml");
const DOCUMENT_RELATIONS: &str = include_str!("word/document_relations.xml");
/// Paragraphs by level, small cells, and tables with three rules.
const STYLES: &str = include_str!("word/styles.xml");
const NAMESPACE: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

/// How pages lie.
#[derive(Debug, Clone, Copy)]
enum Pages {
    Upright,
    OnTheirSide,
}

impl Pages {
    /// The properties of a section of such pages: A4 with margins of 2 cm.
    fn section(self) -> String {
        let [width, height, turned] = match self {
            Self::Upright => ["11906", "16838", ""],
            Self::OnTheirSide => ["16838", "11906", r#" w:orient="landscape""#],
        };
        let margins: String = ["top", "right", "bottom", "left"].map(|side| format!(r#" w:{side}="1134""#)).concat();
        format!(
            r#"<w:sectPr><w:pgSz w:w="{width}" w:h="{height}"{turned}/><w:pgMar{margins} w:header="567" w:footer="567" w:gutter="0"/></w:sectPr>"#
        )
    }
}

/// A kind of paragraph, by its name among the styles.
#[derive(Debug, Clone, Copy)]
enum Style {
    Title,
    Heading1,
    Heading2,
    Normal,
    Caption,
    Cell,
}

/// The body of a document as it grows.
#[derive(Debug, Default)]
struct Body {
    xml: String,
}

impl Body {
    fn paragraph(&mut self, style: Style, text: &str) {
        let text = escaped(text);
        self.push(format_args!(
            r#"<w:p><w:pPr><w:pStyle w:val="{style:?}"/></w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>"#
        ));
    }

    /// A table below its caption; the header stands again on every page.
    fn table(&mut self, caption: &str, header: &[String], rows: &[Vec<String>]) {
        self.paragraph(Style::Caption, caption);
        let widths = column_widths(header, rows);
        self.push(format_args!(
            r#"<w:tbl><w:tblPr><w:tblStyle w:val="Journal"/><w:tblW w:w="5000" w:type="pct"/><w:tblLook w:val="0020" w:firstRow="1"/></w:tblPr><w:tblGrid>"#
        ));
        for width in &widths {
            self.push(format_args!(r#"<w:gridCol w:w="{width}"/>"#));
        }
        self.push(format_args!("</w:tblGrid>"));
        self.row(header, &widths, "<w:tblHeader/>");
        rows.iter().for_each(|row| self.row(row, &widths, ""));
        self.push(format_args!("</w:tbl>"));
        // Two tables without a paragraph between them would be one.
        self.paragraph(Style::Normal, "");
    }

    fn row(&mut self, cells: &[String], widths: &[usize], property: &str) {
        self.push(format_args!("<w:tr><w:trPr><w:cantSplit/>{property}</w:trPr>"));
        for (cell, width) in cells.iter().zip(widths) {
            self.push(format_args!(r#"<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>"#));
            self.paragraph(Style::Cell, cell);
            self.push(format_args!("</w:tc>"));
        }
        self.push(format_args!("</w:tr>"));
    }

    /// Ends a section of pages that lie so.
    fn end_section(&mut self, pages: Pages) {
        self.push(format_args!("<w:p><w:pPr>{}</w:pPr></w:p>", pages.section()));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.xml.write_fmt(text);
    }

    /// The package, whose last section has pages that lie so.
    fn finish(self, pages: Pages) -> Result<Vec<u8>> {
        let document = format!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:document xmlns:w="{NAMESPACE}"><w:body>{}{}</w:body></w:document>"#,
            self.xml,
            pages.section()
        );
        package(&[
            ("[Content_Types].xml", CONTENT_TYPES),
            ("_rels/.rels", PACKAGE_RELATIONS),
            ("word/_rels/document.xml.rels", DOCUMENT_RELATIONS),
            ("word/styles.xml", STYLES),
            ("word/document.xml", &document),
        ])
    }
}

/// Text without what XML reads otherwise or may not hold.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Widths of columns by their longest texts, in twentieths of a point.
fn column_widths(header: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let [fewest, most] = COLUMN_LETTERS;
    let longest = |column: usize| {
        let texts = rows.iter().map(|row| &row[column]).chain([&header[column]]);
        texts.map(|text| text.chars().count()).max().unwrap_or(0).clamp(fewest, most)
    };
    let letters: Vec<usize> = (0..header.len()).map(longest).collect();
    let all = letters.iter().sum::<usize>().max(1);
    letters.into_iter().map(|letters| LANDSCAPE_WIDTH * letters / all).collect()
}

/// A zip archive of texts. It holds no times: the same parts are the same bytes.
fn package(parts: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut bytes);
    for (name, text) in parts {
        let (mut entry, config) = archive.new_file(*name).compression_method(CompressionMethod::DEFLATE).start()?;
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        writer.write_all(text.as_bytes())?;
        let (encoder, descriptor) = writer.finish()?;
        encoder.finish()?;
        entry.finish(descriptor)?;
    }
    archive.finish()?;
    Ok(bytes)
}

/// The report as a Word document: what the page says, with the captions of the figures, which journals take apart.
///
/// # Errors
/// When the integrated model is missing.
pub(super) fn document(
    study: &Study,
    findings: &Findings<'_>,
    tables: &[Table],
    figures: &[Figure],
    checklists: &[Checklist],
) -> Result<Vec<u8>> {
    let description = &findings.cohort.description;
    let mut body = Body::default();
    body.paragraph(Style::Title, &format!("Predicting axillary lymph node metastasis: {}", description.name));
    if description.simulated {
        body.paragraph(Style::Normal, "Simulated cohort. No patient exists behind any figure of this document.");
    }
    if study.settings.shuffle_outcomes {
        body.paragraph(Style::Normal, "Outcomes shuffled. What the models find here is chance.");
    }
    body.paragraph(
        Style::Normal,
        "Research software, not a medical device; nothing here may guide the care of a patient.",
    );
    body.paragraph(Style::Heading1, "Methods");
    for paragraph in methods::paragraphs(study, findings)? {
        body.paragraph(Style::Heading2, paragraph.heading);
        body.paragraph(Style::Normal, &paragraph.text);
    }
    body.paragraph(Style::Heading1, "Scores");
    for signature in [&findings.scores.radiomic, &findings.scores.deep].into_iter().filter_map(|one| one.signature()) {
        let term = |one: &Weight| {
            let sign = if one.weight < 0.0 { '−' } else { '+' };
            format!(" {sign} {:.4} × {}", one.weight.abs(), one.feature)
        };
        let terms = signature.weights().iter().map(term);
        let formula = format!("{} = {:.4}{}", signature.name(), signature.intercept(), terms.collect::<String>());
        body.paragraph(Style::Normal, &formula);
    }
    body.paragraph(Style::Heading1, "Limits");
    methods::limits(study, findings).iter().for_each(|limit| body.paragraph(Style::Normal, limit));
    body.paragraph(Style::Heading1, "Figures");
    for figure in figures {
        let files: Vec<&str> = figure.panels.iter().map(|panel| panel.data.file()).collect();
        body.paragraph(Style::Normal, &format!("{} Files: {}.", figure.caption, files.join(", ")));
    }
    body.end_section(Pages::Upright);
    body.paragraph(Style::Heading1, "Tables");
    let (header, rows) = methods::headline_cells(findings);
    body.table("The integrated model, at the cutoff of the training centre", &header, &rows);
    for ShownTable { title, header, rows, .. } in tables.iter().filter_map(Table::shown) {
        body.table(title, header, &rows);
    }
    body.paragraph(Style::Heading1, "Checklists");
    for table in checklists.iter().map(Checklist::table) {
        if let Some(ShownTable { title, header, rows, .. }) = table.shown() {
            body.table(title, header, &rows);
        }
    }
    body.finish(Pages::OnTheirSide)
}

#[cfg(test)]
mod tests {
    use rawzip::ZipArchive;
    use resvg::usvg::roxmltree::Document;

    use super::*;

    /// The parts of a package, by name.
    fn parts(bytes: &[u8]) -> Vec<(String, String)> {
        let archive = ZipArchive::from_slice(bytes).unwrap();
        let mut entries = archive.entries();
        let mut parts = Vec::new();
        while let Some(entry) = entries.next_entry().unwrap() {
            let name = entry.file_path().try_normalize().unwrap().as_ref().to_owned();
            let data = archive.get_entry(entry.wayfinder()).unwrap();
            parts.push((name, std::io::read_to_string(flate2::read::DeflateDecoder::new(data.data())).unwrap()));
        }
        parts
    }

    #[test]
    fn a_document_is_a_package_of_well_formed_parts() {
        let mut body = Body::default();
        body.paragraph(Style::Title, "p < 0.05 & λ\u{1}");
        let cells = |text: &str| vec![text.to_owned(), "0.75 (0.5, 0.9)".to_owned()];
        body.table("Table 1", &cells("model"), &[cells("A & B"), cells("<0.001")]);
        body.end_section(Pages::Upright);
        let parts = parts(&body.finish(Pages::OnTheirSide).unwrap());
        assert_eq!(parts.len(), 5);
        for (name, text) in &parts {
            assert!(Document::parse(text).is_ok(), "{name}: {:?}", Document::parse(text).err());
        }
        let (name, text) = &parts[4];
        assert_eq!(name, "word/document.xml");
        let document = Document::parse(text).unwrap();
        let is_text = |node: &resvg::usvg::roxmltree::Node<'_, '_>| node.has_tag_name((NAMESPACE, "t"));
        let texts: Vec<&str> = document.descendants().filter(is_text).filter_map(|node| node.text()).collect();
        let number = "0.75 (0.5, 0.9)";
        assert_eq!(texts, ["p < 0.05 & λ ", "Table 1", "model", number, "A & B", number, "<0.001", number]);
        for style in [Style::Title, Style::Heading1, Style::Heading2, Style::Normal, Style::Caption, Style::Cell] {
            assert!(STYLES.contains(&format!("w:styleId=\"{style:?}\"")), "{style:?}");
        }
    }

    #[test]
    fn columns_share_the_page_by_their_texts() {
        let header = ["a".to_owned(), "b".to_owned()];
        let widths = column_widths(&header, &[vec!["x".repeat(100), "1".to_owned()]]);
        assert_eq!(widths, [LANDSCAPE_WIDTH * 36 / 41, LANDSCAPE_WIDTH * 5 / 41]);
    }
}
