//! Formulas of passive variables.
//!
//! A passive variable is computed from others, `neutrophils * platelets / lymphocytes`, and computed again whenever one
//! of them is imputed, so that the completed rows never contradict themselves.
//!
//! ```text
//! sum     = product { ("+" | "-") product }
//! product = power { ("*" | "/") power }
//! power   = [ "-" ] atom [ "^" power ]
//! atom    = number | name | "`" any name "`" | function "(" sum ")" | "(" sum ")"
//! ```
//!
//! Functions are `log` (natural), `log10`, `log2`, `exp`, `sqrt` and `abs`. A name of letters, digits, `_` and `.`
//! stands for the column of that name; any other name goes between back quotes.

use std::fmt;

use crate::error::{ImputationError, Result};

/// Longest formula, in bytes.
const LONGEST: usize = 2000;
/// Deepest nesting of brackets, functions and signs.
const DEEPEST: usize = 60;

/// A formula over the columns of a table.
///
/// ```
/// use alnm_imputation::formula::PassiveFormula;
/// let index = PassiveFormula::parse("neutrophils * platelets / lymphocytes")?;
/// assert_eq!(index.variables(), ["neutrophils", "platelets", "lymphocytes"]);
/// let value = index.evaluate(|name| if name == "platelets" { 200.0 } else { 2.0 });
/// assert_eq!(value, 200.0);
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct PassiveFormula {
    text: String,
    expression: Expression,
    variables: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Number(f64),
    /// Position among the variables.
    Variable(usize),
    Apply(Function, Box<Expression>),
    Combine(char, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Minus,
    Log,
    Log10,
    Log2,
    Exp,
    Sqrt,
    Abs,
}

const FUNCTIONS: [(&str, Function); 6] = [
    ("log", Function::Log),
    ("log10", Function::Log10),
    ("log2", Function::Log2),
    ("exp", Function::Exp),
    ("sqrt", Function::Sqrt),
    ("abs", Function::Abs),
];

impl PassiveFormula {
    /// Reads a formula.
    ///
    /// # Errors
    /// [`ImputationError::Formula`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0, variables: Vec::new() };
        let read = if text.len() > LONGEST {
            Err(format!("it has {} bytes; it must have at most {LONGEST}", text.len()))
        } else {
            reader.sum(0).and_then(|expression| match reader.peek() {
                None => Ok(expression),
                Some(other) => Err(format!("{other:?} at byte {} is none of + - * / ^", reader.at)),
            })
        };
        let expression = read.map_err(|reason| ImputationError::Formula { text: text.to_owned(), reason })?;
        Ok(Self { text: text.to_owned(), expression, variables: reader.variables })
    }

    /// The formula as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of the columns that the formula takes, in the order in which they first stand in it.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// The value of the formula where `value` gives that of each column. It may be infinite or NaN, as after a division
    /// by 0.
    #[must_use]
    pub fn evaluate(&self, value: impl Fn(&str) -> f64) -> f64 {
        self.evaluate_at(&self.variables.iter().map(|name| value(name)).collect::<Vec<f64>>())
    }

    /// The value of the formula at the values of its variables, in their order.
    pub(crate) fn evaluate_at(&self, values: &[f64]) -> f64 {
        self.expression.evaluate(values)
    }
}

impl Expression {
    fn evaluate(&self, values: &[f64]) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Variable(place) => values[*place],
            Self::Apply(function, of) => {
                let x = of.evaluate(values);
                match function {
                    Function::Minus => -x,
                    Function::Log => x.ln(),
                    Function::Log10 => x.log10(),
                    Function::Log2 => x.log2(),
                    Function::Exp => x.exp(),
                    Function::Sqrt => x.sqrt(),
                    Function::Abs => x.abs(),
                }
            }
            Self::Combine(operator, left, right) => {
                let (a, b) = (left.evaluate(values), right.evaluate(values));
                match operator {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '/' => a / b,
                    _ => a.powf(b),
                }
            }
        }
    }
}

type Read<T> = std::result::Result<T, String>;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    variables: Vec<String>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is no white space.
    fn peek(&mut self) -> Option<char> {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    /// Takes the next character when it is one of these.
    fn take(&mut self, any_of: &str) -> Option<char> {
        let next = self.peek().filter(|c| any_of.contains(*c))?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// A chain of operands that group from the left.
    fn chain(&mut self, operators: &str, operand: impl Fn(&mut Self) -> Read<Expression>) -> Read<Expression> {
        let mut left = operand(self)?;
        while let Some(operator) = self.take(operators) {
            left = Expression::Combine(operator, Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn sum(&mut self, depth: usize) -> Read<Expression> {
        if depth > DEEPEST {
            return Err(format!("it is nested deeper than {DEEPEST} levels"));
        }
        self.chain("+-", |reader| reader.chain("*/", |reader| reader.power(depth + 1)))
    }

    fn power(&mut self, depth: usize) -> Read<Expression> {
        if depth > DEEPEST {
            return Err(format!("it is nested deeper than {DEEPEST} levels"));
        }
        if self.take("-").is_some() {
            return Ok(Expression::Apply(Function::Minus, Box::new(self.power(depth + 1)?)));
        }
        let base = self.atom(depth)?;
        match self.take("^") {
            Some(operator) => Ok(Expression::Combine(operator, Box::new(base), Box::new(self.power(depth + 1)?))),
            None => Ok(base),
        }
    }

    fn atom(&mut self, depth: usize) -> Read<Expression> {
        match self.peek() {
            None => Err("it ends where a number, a name or a bracket must stand".to_owned()),
            Some('(') => self.bracket(depth),
            Some('`') => self.quoted(),
            Some(first) if first.is_ascii_digit() || first == '.' => self.number(),
            Some(first) if first.is_alphabetic() || first == '_' => self.word(depth),
            Some(other) => Err(format!("{other:?} at byte {} is no number, name or bracket", self.at)),
        }
    }

    fn bracket(&mut self, depth: usize) -> Read<Expression> {
        let opened = self.at;
        self.at += 1;
        let inside = self.sum(depth + 1)?;
        match self.take(")") {
            Some(_) => Ok(inside),
            None => Err(format!("the bracket at byte {opened} is not closed")),
        }
    }

    fn quoted(&mut self) -> Read<Expression> {
        let opened = self.at;
        let Some((name, _)) = self.rest()[1..].split_once('`') else {
            return Err(format!("the back quote at byte {opened} is not closed"));
        };
        self.at += name.len() + 2;
        if name.is_empty() {
            return Err(format!("the name at byte {opened} is empty"));
        }
        Ok(self.variable(name))
    }

    fn number(&mut self) -> Read<Expression> {
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        while length < bytes.len() {
            let is_sign = matches!(bytes[length], b'+' | b'-') && matches!(bytes[length - 1], b'e' | b'E');
            if !(bytes[length].is_ascii_digit() || matches!(bytes[length], b'.' | b'e' | b'E') || is_sign) {
                break;
            }
            length += 1;
        }
        let digits = &self.rest()[..length];
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += length;
                Ok(Expression::Number(number))
            }
            _ => Err(format!("{digits:?} at byte {} is no finite number", self.at)),
        }
    }

    fn word(&mut self, depth: usize) -> Read<Expression> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let length = self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
        let word = &self.rest()[..length];
        let place = self.at;
        self.at += length;
        if self.peek() != Some('(') {
            return Ok(self.variable(word));
        }
        let Some((_, function)) = FUNCTIONS.iter().find(|(name, _)| *name == word) else {
            let known: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
            return Err(format!("the function {word:?} at byte {place} is unknown; it must be one of {known:?}"));
        };
        Ok(Expression::Apply(*function, Box::new(self.bracket(depth)?)))
    }

    fn variable(&mut self, name: &str) -> Expression {
        let place = self.variables.iter().position(|known| known == name).unwrap_or_else(|| {
            self.variables.push(name.to_owned());
            self.variables.len() - 1
        });
        Expression::Variable(place)
    }
}

impl fmt::Display for PassiveFormula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for PassiveFormula {
    type Error = ImputationError;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<PassiveFormula> for String {
    fn from(formula: PassiveFormula) -> Self {
        formula.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> f64 {
        let of = |name: &str| match name {
            "a" => 2.0,
            "b" => 3.0,
            "Ki-67 (%)" => 10.0,
            _ => f64::NAN,
        };
        PassiveFormula::parse(text).expect("a formula").evaluate(of)
    }

    #[test]
    fn operators_bind_as_in_algebra() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("8 / 4 / 2", 1.0),
            ("8 - 4 - 2", 2.0),
            ("-a ^ 2", -4.0),
            ("2 ^ b ^ a", 512.0),
            ("(a + b) * -a", -10.0),
            ("a * -b", -6.0),
            ("1.5e-1 * `Ki-67 (%)`", 1.5),
            ("log(exp(b)) + sqrt(4) + abs(-1) + log10(100) + log2(8)", 11.0),
        ] {
            assert!((value(text) - expected).abs() < 1e-12, "{text} is {}", value(text));
        }
        assert!(value("1 / (a - 2)").is_infinite() && value("unknown").is_nan());
    }

    #[test]
    fn what_is_no_formula_is_refused_with_its_place() {
        let reason = |text: &str| match PassiveFormula::parse(text) {
            Err(ImputationError::Formula { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason("a +"), "it ends where a number, a name or a bracket must stand");
        assert_eq!(reason("a b"), "'b' at byte 2 is none of + - * / ^");
        assert_eq!(reason("(a"), "the bracket at byte 0 is not closed");
        assert_eq!(reason("`a"), "the back quote at byte 0 is not closed");
        assert_eq!(reason("``"), "the name at byte 0 is empty");
        assert_eq!(reason("a * %"), "'%' at byte 4 is no number, name or bracket");
        assert_eq!(reason("1.2.3"), "\"1.2.3\" at byte 0 is no finite number");
        assert!(reason("sin(a)").starts_with("the function \"sin\" at byte 0 is unknown"));
        assert!(reason(&"(".repeat(500)).starts_with("it is nested deeper"));
        assert!(reason(&"-".repeat(500)).starts_with("it is nested deeper"));
        assert!(reason(&"a+".repeat(5000)).starts_with("it has 10000 bytes"));
        assert_eq!(reason(""), "it ends where a number, a name or a bracket must stand");
    }
}
