//! What must hold for a model that was read from a file; the first thing that does not hold is the reason to refuse it.

/// The sentence that says what is wrong.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// Refuses with this reason unless the condition holds.
pub(crate) fn require(holds: bool, reason: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(reason()) }
}

/// Refuses a number that is not finite.
pub(crate) fn finite(name: &str, value: f64) -> Checked {
    require(value.is_finite(), || format!("{name} is {value}; it must be finite"))
}

/// Refuses names that are empty or occur twice.
pub(crate) fn distinct<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> Checked {
    let mut sorted: Vec<&str> = names.into_iter().collect();
    sorted.sort_unstable();
    require(sorted.first() != Some(&""), || {
        format!("the name of a {what} is empty; it must have at least one letter")
    })?;
    let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    require(twice.is_none(), || {
        format!("the {what} {:?} is given twice; it must be given once", twice.unwrap_or_default())
    })
}
