//! A JSON object, read field by field so that a wrong type is refused by name. Fields that nobody asks for are ignored: clients of
//! 100ms send more than footlight knows.

use crate::rooms::{Invalid, id};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// Why bytes are no object. The caller's to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// Not JSON, or deeper than 128 levels.
    #[error("the body is not JSON (line {line}, column {column}); send an object")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, and something else.
    #[error("the body is {0}; send an object")]
    NotAnObject(&'static str),
}

/// The fields of an object. Absent and `null` are the same. Reading one takes it out.
#[derive(Debug, Default, PartialEq)]
pub struct Fields {
    /// What the names are below, as errors show it: `recording.`.
    prefix: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Reads a body. None at all is an object without fields.
    pub fn parse(bytes: &[u8]) -> Result<Self, FieldsError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Self { prefix: String::new(), map }),
            Ok(Value::Null) => Ok(Self::default()),
            Ok(other) => Err(FieldsError::NotAnObject(kind(&other))),
            Err(e) => Err(FieldsError::NotJson { line: e.line(), column: e.column() }),
        }
    }

    /// Whether a field is given at all.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Refuses what is not among these, in a part of the API that no client of 100ms's knows: a field that is misspelt would be as if it were absent.
    pub fn only(&self, names: &[&str]) -> Result<(), Invalid> {
        match self.map.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(Invalid(format!(
                "{}{}: there is no such field; there are {}",
                self.prefix,
                shown_name(name),
                names.join(", ")
            ))),
            None => Ok(()),
        }
    }

    /// A string.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Invalid> {
        self.take(name, "a string", |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Invalid> {
        self.take(name, "true or false", |value| value.as_bool().ok_or(value))
    }

    /// A whole number from 0.
    pub fn count(&mut self, name: &str) -> Result<Option<u64>, Invalid> {
        self.take(name, "a whole number from 0", |value| value.as_u64().ok_or(value))
    }

    /// A number within a range.
    pub fn number(&mut self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, Invalid> {
        let number = self.take(name, "a number", |value| value.as_f64().ok_or(value))?;
        match number.filter(|number| !range.contains(number)) {
            Some(number) => {
                let (low, high) = (range.start(), range.end());
                Err(Invalid(format!("{}{name}: {number} is out of range; give {low} to {high}", self.prefix)))
            }
            None => Ok(number),
        }
    }

    /// All fields that are given, each an object, under names that the caller has chosen and `check` takes.
    pub fn objects(mut self, check: impl Fn(&str) -> Result<(), Invalid>) -> Result<Vec<(String, Self)>, Invalid> {
        let names: Vec<String> = self.map.keys().cloned().collect();
        let mut objects = Vec::new();
        for name in names {
            check(&name)?;
            if let Some(fields) = self.fields(&name)? {
                objects.push((name, fields));
            }
        }
        Ok(objects)
    }

    /// All fields that are given, each a string, under names that the caller has chosen and `check` takes; `fits` takes each string, and what
    /// errors call it.
    pub fn texts(
        mut self,
        check: impl Fn(&str) -> Result<(), Invalid>,
        fits: impl Fn(&str, &str) -> Result<(), Invalid>,
    ) -> Result<Vec<(String, String)>, Invalid> {
        let names: Vec<String> = self.map.keys().cloned().collect();
        let mut texts = Vec::new();
        for name in names {
            check(&name)?;
            if let Some(text) = self.text(&name)? {
                fits(&format!("{}{}", self.prefix, shown_name(&name)), &text)?;
                texts.push((name, text));
            }
        }
        Ok(texts)
    }

    /// An object whose fields are read in turn.
    pub fn fields(&mut self, name: &str) -> Result<Option<Self>, Invalid> {
        let prefix = format!("{}{}.", self.prefix, shown_name(name));
        self.take(name, "an object", |value| match value {
            Value::Object(map) => Ok(Self { prefix, map }),
            other => Err(other),
        })
    }

    /// An object that was read before, whose names are below `prefix`.
    pub(crate) fn of(prefix: &str, map: Map<String, Value>) -> Self {
        Self { prefix: prefix.to_owned(), map }
    }

    /// A list of at most `most` objects, whose fields are read in turn.
    pub fn objects_in(&mut self, name: &str, most: usize) -> Result<Option<Vec<Self>>, Invalid> {
        let full = format!("{}{}", self.prefix, shown_name(name));
        let list = self.take(name, "a list", |value| match value {
            Value::Array(list) => Ok(list),
            other => Err(other),
        })?;
        let Some(list) = list else { return Ok(None) };
        if list.len() > most {
            return Err(Invalid(format!("{full}: {} are too many; give {most} at most", list.len())));
        }
        let object = |(n, value)| match value {
            Value::Object(map) => Ok(Self { prefix: format!("{full}[{n}]."), map }),
            other => Err(Invalid(format!("{full}[{n}]: {} is {}; give an object", shown(&other), kind(&other)))),
        };
        list.into_iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    /// What is said where a field is not there that has to be.
    pub fn missing(&self, name: &str, want: &str) -> Invalid {
        Invalid(format!("{}{name}: missing; give {want}", self.prefix))
    }

    /// An object that is kept as it is.
    pub fn object(&mut self, name: &str) -> Result<Option<Value>, Invalid> {
        self.take(name, "an object", |value| if value.is_object() { Ok(value) } else { Err(value) })
    }

    /// A list that is kept as it is.
    pub fn list(&mut self, name: &str) -> Result<Option<Value>, Invalid> {
        self.take(name, "a list", |value| if value.is_array() { Ok(value) } else { Err(value) })
    }

    /// A string that must be there.
    pub fn required_text(&mut self, name: &str) -> Result<String, Invalid> {
        self.text(name)?.ok_or_else(|| self.missing(name, "a string"))
    }

    /// `true` or `false`, which must be there.
    pub fn required_flag(&mut self, name: &str) -> Result<bool, Invalid> {
        self.flag(name)?.ok_or_else(|| self.missing(name, "true or false"))
    }

    fn take<T>(
        &mut self,
        name: &str,
        want: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Result<Option<T>, Invalid> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).map_err(|value| {
                let (name, shown, kind) = (shown_name(name), shown(&value), kind(&value));
                Invalid(format!("{}{name}: {shown} is {kind}; give {want}", self.prefix))
            }),
        }
    }
}

/// A name in an error text: callers choose some.
fn shown_name(name: &str) -> String {
    const SHOWN_CHARS: usize = 30;
    let shown: String = name.chars().take(SHOWN_CHARS).collect();
    if shown.len() < name.len() { shown + "…" } else { shown }
}

/// A value in an error text. Of what is nested its kind says enough, and it may hold secrets.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => id::quoted(text),
        Value::Object(_) => "{…}".to_owned(),
        Value::Array(_) => "[…]".to_owned(),
        plain => plain.to_string(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_an_object_or_nothing() {
        let check = |body: &str, want: Result<usize, FieldsError>| {
            assert_eq!(Fields::parse(body.as_bytes()).map(|fields| fields.map.len()), want, "{body}");
        };
        check("", Ok(0));
        check(" \n", Ok(0));
        check("null", Ok(0));
        check("{}", Ok(0));
        check("{\"a\": 1, \"b\": null}", Ok(2));
        check("[]", Err(FieldsError::NotAnObject("a list")));
        check("\"a\"", Err(FieldsError::NotAnObject("a string")));
        check("{\"a\": ", Err(FieldsError::NotJson { line: 1, column: 6 }));
        check("name=a", Err(FieldsError::NotJson { line: 1, column: 2 }));
        assert!(Fields::parse(b"{\"a\": \"\xff\"}").is_err());
        assert!(Fields::parse("[".repeat(60_000).as_bytes()).is_err(), "depth is bounded");
    }

    #[test]
    fn a_wrong_type_is_refused_by_name() {
        let mut fields =
            Fields::parse(br#"{"name": 7, "enabled": "yes", "size": -1, "more": {"deep": []}, "none": null}"#).unwrap();
        let check = |error: Invalid, want: &str| assert_eq!(error.0, want);
        check(fields.text("name").unwrap_err(), "name: 7 is a number; give a string");
        check(fields.flag("enabled").unwrap_err(), "enabled: \"yes\" is a string; give true or false");
        check(fields.count("size").unwrap_err(), "size: -1 is a number; give a whole number from 0");
        let mut more = fields.fields("more").unwrap().unwrap();
        check(more.text("deep").unwrap_err(), "more.deep: […] is a list; give a string");
        check(more.required_flag("there").unwrap_err(), "more.there: missing; give true or false");
        assert_eq!(fields.text("none"), Ok(None));
        assert_eq!(fields.text("absent"), Ok(None));
    }
}
