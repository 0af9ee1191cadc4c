//! What can be wrong with a parameter.

/// A parameter that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// A file that cannot be read.
    #[error("parameter file {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why the system does not read it.
        reason: String,
    },
    /// Text that is not YAML or JSON.
    #[error("the parameters are not valid YAML: {0}")]
    Syntax(String),
    /// A key or a name that does not exist.
    #[error("{}unknown {what} `{name}` in `{place}`{}", line_prefix(*.line), suggestion(.nearest))]
    Unknown {
        /// Line of the file, where there is a file.
        line: Option<u64>,
        /// What kind of name it is: a key, an image type, a feature class or a feature.
        what: &'static str,
        /// The name.
        name: String,
        /// The part of the parameters that the name stands in.
        place: String,
        /// The valid name that looks most like it.
        nearest: Option<String>,
    },
    /// A value that is not of the right type or is out of range.
    #[error("{}`{key}` is {value}; it must be {expected}", line_prefix(*.line))]
    Value {
        /// Line of the file, where there is a file.
        line: Option<u64>,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A setting of the IBSI profile that is out of its range.
    #[error("{setting} is {value}; {requirement}")]
    Setting {
        /// The setting, as a path into the profile.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        requirement: &'static str,
    },
    /// Text that is not an IBSI profile.
    #[error("the IBSI profile cannot be read: {0}")]
    Profile(String),
}

fn line_prefix(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl ParameterError {
    /// The error for a name that does not exist, with the valid name that looks most like it.
    pub(crate) fn unknown<'a>(
        name: &str,
        line: Option<u64>,
        what: &'static str,
        place: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let nearest = known.into_iter().map(|known| (edit_distance(name, known), known)).min();
        // A name that would have to be rewritten for the most part was not meant.
        let nearest =
            nearest.filter(|(distance, known)| 2 * distance <= known.len()).map(|(_, known)| known.to_owned());
        Self::Unknown { line, what, name: name.to_owned(), place: place.to_owned(), nearest }
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other, case aside.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(swap)
            };
        }
    }
    rows[a.len()][b.len()]
}
