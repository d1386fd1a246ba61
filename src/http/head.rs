//! A request's head as it came over the wire, free of any server's types.

/// A request line and headers. Nothing is decoded or normalised: signatures cover the raw bytes.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The method, in upper case as sent.
    pub method: String,
    /// The path of the request target, still percent-encoded, with its leading slash.
    pub path: String,
    /// The query of the request target, still percent-encoded, without the question mark; empty if there is none.
    pub query: String,
    pub headers: Headers,
}

/// Header fields in the order they came; names in lower case, values as raw bytes.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

/// A header value that is not visible ASCII, or a header given twice where once is the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    #[error("the header {0} is not text")]
    NotText(String),
    #[error("the header {0} is given more than once")]
    Repeated(String),
}

impl Headers {
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }

    /// All fields, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Every value of the field `name` (in lower case), in order.
    pub fn all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_slice())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The one value of the field `name` as UTF-8 text, without surrounding white space.
    pub fn text(&self, name: &str) -> Result<Option<&str>, InvalidHeader> {
        let mut values = self.all(name);
        let Some(first) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(InvalidHeader::Repeated(name.to_owned()));
        }
        let text = std::str::from_utf8(first).map_err(|_| InvalidHeader::NotText(name.to_owned()))?;
        Ok(Some(text.trim_matches([' ', '\t'])))
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            headers.push(name.as_ref(), value);
        }
        headers
    }
}
