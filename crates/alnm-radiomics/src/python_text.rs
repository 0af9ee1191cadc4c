//! Numbers as Python writes them, since column names, CSV cells and diagnostics follow it.

/// The shortest text that reads back as the same number, in the form of Python's `repr`: `3.0`, `1e-05`, `1.2e+16`,
/// `nan`.
///
/// ```
/// use alnm_radiomics::python_float;
/// assert_eq!(python_float(3.0), "3.0");
/// assert_eq!(python_float(1e-5), "1e-05");
/// assert_eq!(python_float(1.2e16), "1.2e+16");
/// assert_eq!(python_float(f64::NAN), "nan");
/// ```
#[must_use]
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Values as a Python tuple: `(1, 2)`, `(1,)`.
pub(crate) fn tuple(items: &[String]) -> String {
    if let [single] = items { format!("({single},)") } else { format!("({})", items.join(", ")) }
}
