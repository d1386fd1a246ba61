//! The parameters of a request's query, decoded.

use super::error::{Code, S3Error};
use crate::http::percent;

/// The most parameters of a query.
const MAX_PARAMETERS: usize = 100;

/// Query parameters in the order they came; a bare name has an empty value.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(query: &str) -> Result<Self, S3Error> {
        let mut parameters = Vec::new();
        for parameter in percent::parameters(query) {
            if parameters.len() == MAX_PARAMETERS {
                return Err(S3Error::new(Code::InvalidURI));
            }
            parameters.push((decode(parameter.name)?, decode(parameter.value.unwrap_or_default())?));
        }
        Ok(Self(parameters))
    }

    /// The value of the first parameter of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The values of all parameters of this name.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// As [`Self::get`], with an empty value counting as none.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A number within `range`, or S3's InvalidArgument.
    pub fn number(&self, name: &'static str, range: std::ops::RangeInclusive<u32>) -> Result<Option<u32>, S3Error> {
        let Some(text) = self.given(name) else { return Ok(None) };
        match text.parse::<u32>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            Ok(_) => {
                let message = format!("{name} must be an integer between {} and {}", range.start(), range.end());
                Err(S3Error::invalid_argument(message, name, text))
            }
            Err(_) => {
                let message = format!("Provided {name} not an integer or within integer range");
                Err(S3Error::invalid_argument(message, name, text))
            }
        }
    }
}

fn decode(text: &str) -> Result<String, S3Error> {
    let bytes = percent::decode_query(text).map_err(|_| S3Error::new(Code::InvalidURI))?;
    String::from_utf8(bytes.into_owned()).map_err(|_| S3Error::new(Code::InvalidURI))
}
