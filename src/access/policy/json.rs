//! JSON as it was written: every field in its order, so that a field that is there twice is seen.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::Problem;

/// A JSON value. Its depth is bounded by the parser.
#[derive(Debug)]
pub enum Json {
    Null,
    Flag(bool),
    /// In the shortest form of its number.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole document, which must be an object without duplicate fields at any depth.
    pub fn parse(text: &[u8]) -> Result<Vec<(String, Self)>, Problem> {
        if text.first() != Some(&b'{') {
            return Err(Problem::NotAnObject);
        }
        let json: Self = serde_json::from_slice(text).map_err(|error| Problem::Json(error.to_string()))?;
        json.unique()?;
        match json {
            Self::Object(fields) => Ok(fields),
            _ => Err(Problem::NotAnObject),
        }
    }

    fn unique(&self) -> Result<(), Problem> {
        match self {
            Self::List(items) => items.iter().try_for_each(Self::unique),
            Self::Object(fields) => {
                let mut names = HashSet::new();
                fields.iter().try_for_each(|(name, value)| match names.insert(name) {
                    true => value.unique(),
                    false => Err(Problem::DuplicateField(name.clone())),
                })
            }
            _ => Ok(()),
        }
    }

    /// The texts of a text or of a list of texts; `None` where anything else is there.
    pub fn texts(self) -> Option<Vec<String>> {
        self.one_or_many(|json| match json {
            Self::Text(text) => Some(text),
            _ => None,
        })
    }

    /// As [`texts`](Self::texts), also of numbers and of true and false, as conditions have them.
    pub fn values(self) -> Option<Vec<String>> {
        self.one_or_many(|json| match json {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Flag(flag) => Some(flag.to_string()),
            Self::Null | Self::List(_) | Self::Object(_) => None,
        })
    }

    fn one_or_many(self, read: impl Fn(Self) -> Option<String>) -> Option<Vec<String>> {
        match self {
            Self::List(items) => items.into_iter().map(read).collect(),
            one => Some(vec![read(one)?]),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = object.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}
