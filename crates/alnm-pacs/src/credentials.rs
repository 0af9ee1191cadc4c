//! Who asks: passwords and tokens, which never show.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{PacsError, Result};

/// The most bytes of a file with a secret.
const LONGEST: u64 = 64 << 10;

/// A password or token. It is not shown by `Debug`, and never part of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

impl Secret {
    /// A secret that the program has already.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// [`PacsError::Secret`] when the file cannot be read or its first line is empty.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |problem: String| PacsError::Secret { origin: path.display().to_string(), problem };
        let length = std::fs::metadata(path).map_err(|error| failed(format!("cannot be read: {error}")))?.len();
        if length > LONGEST {
            return Err(failed(format!("has {length} bytes; a file with a secret has {LONGEST} at most")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        Self::checked(text.lines().next().unwrap_or_default())
            .ok_or_else(|| failed("is empty; write it into the first line".to_owned()))
    }

    /// The value of an environment variable.
    ///
    /// # Errors
    /// [`PacsError::Secret`] when the variable is not set, empty or no text.
    pub fn from_environment(variable: &str) -> Result<Self> {
        let failed = |problem: &str| PacsError::Secret {
            origin: format!("the environment variable {variable}"),
            problem: problem.to_owned(),
        };
        let value = std::env::var(variable).map_err(|_| failed("is not set; set the variable"))?;
        Self::checked(&value).ok_or_else(|| failed("is empty; set the variable"))
    }

    /// The secret itself, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    fn checked(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

/// The credentials with which this program identifies itself to a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// It does not.
    #[default]
    None,
    /// User and password, sent with each request (RFC 7617).
    Basic {
        /// The user's name, without a colon.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token, sent with each request (RFC 6750).
    Bearer(Secret),
}

impl Credentials {
    /// User and password.
    pub fn basic(user: impl Into<String>, password: Secret) -> Self {
        Self::Basic { user: user.into(), password }
    }

    pub(crate) fn are_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The value of the header `Authorization`; none without credentials.
    pub(crate) fn header(&self) -> Result<Option<Secret>> {
        let value = match self {
            Self::None => return Ok(None),
            Self::Basic { user, password } => {
                if user.contains(':') {
                    return Err(PacsError::parameter("user", format!("{user:?}"), "a user's name has no colon"));
                }
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.0)))
            }
            Self::Bearer(token) => format!("Bearer {}", token.0),
        };
        if value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
            return Err(PacsError::parameter("token", "(not shown)", "a token has visible ASCII characters only"));
        }
        Ok(Some(Secret(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_first_lines_and_do_not_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "geheim: 1\nsecond line\n").unwrap();
        let secret = Secret::from_file(&path).unwrap();
        assert_eq!(secret, Secret::new("geheim: 1"));
        let shown = format!("{:?}", Credentials::basic("anna", secret));
        assert!(shown.contains("anna") && !shown.contains("geheim"), "{shown}");
        for (content, words) in
            [(String::new(), "is empty"), ("\nx".to_owned(), "is empty"), ("x".repeat(70_000), "70000 bytes")]
        {
            std::fs::write(&path, content).unwrap();
            assert!(Secret::from_file(&path).unwrap_err().to_string().contains(words));
        }
        assert!(Secret::from_file(folder.path().join("absent")).unwrap_err().to_string().contains("cannot be read"));
        let unset = Secret::from_environment("ALNM_PACS_TEST_UNSET").unwrap_err().to_string();
        assert!(unset.contains("ALNM_PACS_TEST_UNSET is not set"), "{unset}");
    }

    #[test]
    fn headers_are_those_of_the_standards() {
        // RFC 7617, section 2.
        let basic = Credentials::basic("Aladdin", Secret::new("open sesame"));
        assert_eq!(basic.header().unwrap().unwrap().reveal(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(Credentials::Bearer(Secret::new("abc")).header().unwrap().unwrap().reveal(), "Bearer abc");
        assert_eq!(Credentials::None.header().unwrap(), None);
        assert!(Credentials::basic("a:b", Secret::new("c")).header().is_err());
        let injected = Credentials::Bearer(Secret::new("abc\r\nX: y")).header().unwrap_err().to_string();
        assert!(!injected.contains("abc"), "{injected}");
    }
}
