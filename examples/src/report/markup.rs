//! Tables as Markdown and as LaTeX (package booktabs).

use super::Table;

/// The table as Markdown, with its title above.
pub(super) fn markdown(table: &Table) -> String {
    let row = |cells: &[String]| {
        format!("| {} |\n", cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
    };
    let rule = format!("|{}\n", "---|".repeat(table.header.len()));
    let body: String = table.rows.iter().map(|cells| row(cells)).collect();
    format!("{}\n\n{}{rule}{body}", table.title, row(&table.header))
}

/// The table as a floating LaTeX table.
pub(super) fn latex(table: &Table) -> String {
    let row =
        |cells: &[String]| format!("{} \\\\\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" & "));
    let body: String = table.rows.iter().map(|cells| row(cells)).collect();
    format!(
        "\\begin{{table}}\n\\caption{{{}}}\n\\label{{tab:{}}}\n\\begin{{tabular}}{{{}}}\n\\toprule\n{}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n",
        escaped(&table.title),
        table.file.replace('_', "-"),
        "l".repeat(table.header.len()),
        row(&table.header),
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("$<$"),
            '>' => escaped.push_str("$>$"),
            '±' => escaped.push_str("$\\pm$"),
            'χ' => escaped.push_str("$\\chi$"),
            '²' => escaped.push_str("$^2$"),
            '−' => escaped.push_str("$-$"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new("table_x", "A & B", &["a|b", "p"], vec![vec!["50 % ± 1".to_owned(), "<0.001".to_owned()]])
    }

    #[test]
    fn markdown_keeps_bars_in_their_cells() {
        assert_eq!(markdown(&table()), "A & B\n\n| a\\|b | p |\n|---|---|\n| 50 % ± 1 | <0.001 |\n");
    }

    #[test]
    fn latex_escapes_what_it_would_read_otherwise() {
        let text = latex(&table());
        assert!(text.contains("\\caption{A \\& B}\n\\label{tab:table-x}\n\\begin{tabular}{ll}"), "{text}");
        assert!(text.contains("50 \\% $\\pm$ 1 & $<$0.001 \\\\\n\\bottomrule"), "{text}");
    }
}
