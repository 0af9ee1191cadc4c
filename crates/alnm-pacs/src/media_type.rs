//! Media types with their parameters, as in the header `Content-Type` (RFC 9110, section 8.3.1).

/// A media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType {
    name: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads a media type; what is malformed in it is left out.
    pub(crate) fn of(text: &str) -> Self {
        let (name, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let mut parameters = Vec::new();
        while let Some((key, behind)) = rest.split_once('=') {
            let key = key.trim_matches([' ', '\t', ';']).to_ascii_lowercase();
            let (value, behind) = value_of(behind.trim_start());
            parameters.push((key, value));
            rest = behind;
        }
        Self { name: name.trim().to_ascii_lowercase(), parameters }
    }

    /// Type and subtype, in small letters.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }
}

/// A value, quoted or not, and what stands behind it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), rest);
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, letter) in quoted.char_indices() {
        match letter {
            _ if is_escaped => {
                value.push(letter);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_quoted_or_not() {
        let plain = MediaType::of("Multipart/Related; Boundary=abc; type=application/dicom");
        assert_eq!(plain.name(), "multipart/related");
        assert_eq!((plain.parameter("boundary"), plain.parameter("type")), (Some("abc"), Some("application/dicom")));
        let quoted = MediaType::of(r#"multipart/related;type="application/dicom";boundary="a;b=\"c" ; x=1"#);
        assert_eq!(quoted.parameter("boundary"), Some(r#"a;b="c"#));
        assert_eq!((quoted.parameter("x"), quoted.parameter("y")), (Some("1"), None));
        for odd in ["", ";", "=", "a;b", "a;=", "a;b=\"", "a;b=\"c\\", ";;=\"\"=;"] {
            let _ = MediaType::of(odd);
        }
    }
}
