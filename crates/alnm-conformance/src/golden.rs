//! Golden values that lie beside the tests, as text.

/// The lines of a golden file without its comments, each split into its fields at commas.
pub fn fields(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(',').collect())
}

/// A field as a number.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn number(field: &str) -> f64 {
    field.parse().unwrap_or_else(|_| panic!("{field} is not a number"))
}

/// Compares the rows that a bootstrap draws with those of a golden file, so that another program can be given the same.
///
/// With the environment variable `ALNM_PRINT_RESAMPLES` they are printed in the form of the file.
///
/// # Panics
/// When they differ.
pub fn assert_resamples(drawn: &[Vec<usize>], golden: &str) {
    let line = |rows: &Vec<usize>| rows.iter().map(usize::to_string).collect::<Vec<_>>().join(",") + "\n";
    let text: String = drawn.iter().map(line).collect();
    if std::env::var_os("ALNM_PRINT_RESAMPLES").is_some() {
        println!("{text}");
    }
    let differing = text.lines().zip(golden.lines()).position(|(ours, theirs)| ours != theirs);
    assert!(differing.is_none(), "resample {} is another one", differing.unwrap_or_default());
    assert_eq!(text.lines().count(), golden.lines().count(), "the numbers of resamples differ");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_left_out() {
        let rows: Vec<Vec<&str>> = fields("# made by a script\na,1\nb,2.5\n").collect();
        assert_eq!(rows, [["a", "1"], ["b", "2.5"]]);
        assert_eq!(number(rows[1][1]), 2.5);
    }

    #[test]
    #[should_panic(expected = "resample 1 is another one")]
    fn another_resample_is_named() {
        assert_resamples(&[vec![0, 1], vec![1, 1]], "0,1\n0,1\n");
    }

    #[test]
    #[should_panic(expected = "the numbers of resamples differ")]
    fn a_missing_resample_fails() {
        assert_resamples(&[vec![0, 1]], "0,1\n0,1\n");
    }
}
