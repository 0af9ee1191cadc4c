//! Parameters of an extraction from dictionaries of Python and from the text of parameter files.

use std::fmt;

use alnm_radiomics::parameters::{ImageTypeRequest, SETTINGS, SettingValue};
use alnm_radiomics::{FeatureClass, ImageType, Parameters};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::NonFiniteFloatPolicy;

use crate::error::exception;

/// Keys with values, in the order of the dictionary.
type Entries = Vec<(String, SettingValue)>;

/// A request for an extraction of features.
#[derive(FromPyObject)]
pub(crate) struct Request {
    /// Settings, all of which are known.
    settings: Dictionary,
    /// Image types, each with the settings that apply to it alone.
    image_types: Vec<(String, Dictionary)>,
    /// Feature classes with the names of their features; no name stands for all of them.
    features: Vec<(String, Vec<String>)>,
    /// Whether a mask may cover the whole image.
    full_masks: bool,
}

impl Request {
    /// The checked parameters of this request.
    pub(crate) fn parameters(self) -> PyResult<Parameters> {
        let mut builder = Parameters::builder();
        for (name, overrides) in self.image_types {
            let image_type = ImageType::from_name(&name).ok_or_else(|| {
                let known = ImageType::ALL.map(ImageType::name).join(", ");
                exception(format_args!("image type is {name}; it must be one of {known}"))
            })?;
            let request = overrides
                .0
                .into_iter()
                .fold(ImageTypeRequest::new(image_type), |request, (key, value)| request.with(&key, value));
            builder = builder.image_type(request);
        }
        for (name, features) in self.features {
            let class = feature_class(&name)?;
            if features.is_empty() {
                builder = builder.feature_class(class);
            }
            builder = features.into_iter().fold(builder, |builder, feature| builder.feature(class, feature));
        }
        let mut parameters = builder.check().map_err(exception)?;
        for (key, value) in self.settings.0 {
            parameters.set(&key, value).map_err(exception)?;
        }
        Ok(parameters.with_full_masks(self.full_masks))
    }
}

pub(crate) fn feature_class(name: &str) -> PyResult<FeatureClass> {
    FeatureClass::from_name(name).ok_or_else(|| {
        let known = FeatureClass::ALL.map(FeatureClass::name).join(", ");
        exception(format_args!("feature class is {name}; it must be one of {known}"))
    })
}

/// The settings of an extraction in a dictionary.
struct Dictionary(Entries);

impl<'py> FromPyObject<'_, 'py> for Dictionary {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let entry = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| Ok((key.extract()?, setting(&value)?));
        object.cast::<PyDict>()?.iter().map(entry).collect::<PyResult<_>>().map(Self)
    }
}

fn setting(value: &Bound<'_, PyAny>) -> PyResult<SettingValue> {
    let items = |items: &mut dyn Iterator<Item = Bound<'_, PyAny>>| {
        items.map(|item| setting(&item)).collect::<PyResult<Vec<_>>>().map(SettingValue::List)
    };
    Ok(if value.is_none() {
        SettingValue::Null
    } else if let Ok(value) = value.cast::<PyBool>() {
        SettingValue::Bool(value.is_true())
    } else if value.cast::<PyInt>().is_ok() {
        // A number that does not fit is not allowed for any setting; the check of the setting refuses infinity.
        value.extract().map_or_else(|_| SettingValue::Float(f64::INFINITY), SettingValue::Integer)
    } else if let Ok(value) = value.cast::<PyFloat>() {
        SettingValue::Float(value.value())
    } else if let Ok(value) = value.cast::<PyString>() {
        SettingValue::Text(value.extract()?)
    } else if let Ok(list) = value.cast::<PyList>() {
        items(&mut list.iter())?
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        items(&mut tuple.iter())?
    } else {
        let kind = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "a setting is a {kind}; it must be None, a bool, a number, text or a list of these"
        )));
    })
}

/// The names of all settings, including those of feature maps.
#[pyfunction]
pub(crate) fn setting_names() -> Vec<&'static str> {
    SETTINGS.iter().map(|key| key.name).collect()
}

/// Checks the text of a parameter file, YAML or JSON, and returns its content as a dictionary.
#[pyfunction]
pub(crate) fn parse_parameters(py: Python<'_>, text: &str) -> PyResult<Py<PyAny>> {
    Parameters::from_yaml(text).map_err(exception)?;
    if text.trim().is_empty() {
        return Ok(PyDict::new(py).into_any().unbind());
    }
    let options = serde_saphyr::options! { non_finite_float_policy: NonFiniteFloatPolicy::PassThrough };
    let tree: Tree = serde_saphyr::from_str_with_options(text, options).map_err(exception)?;
    Ok(tree.to_python(py)?.unbind())
}

/// The content of a parameter file.
enum Tree {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Self::Null => py.None().into_bound(py),
            Self::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
            Self::Integer(value) => value.into_pyobject(py)?.into_any(),
            Self::Float(value) => PyFloat::new(py, *value).into_any(),
            Self::Text(text) => PyString::new(py, text).into_any(),
            Self::List(items) => {
                let items = items.iter().map(|item| item.to_python(py)).collect::<PyResult<Vec<_>>>()?;
                PyList::new(py, items)?.into_any()
            }
            Self::Map(entries) => {
                let dictionary = PyDict::new(py);
                for (key, value) in entries {
                    dictionary.set_item(key, value.to_python(py)?)?;
                }
                dictionary.into_any()
            }
        })
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, text, list or map")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        i64::try_from(value).map(Tree::Integer).map_err(|_| E::custom(format!("{value} is too large")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}
