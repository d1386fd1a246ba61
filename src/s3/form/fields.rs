//! The fields of a form that stand before its file.

use crate::http::head::Headers;
use crate::http::rfc2047;
use crate::s3::error::{Code, S3Error};

/// Fields that PutObject has as headers, besides those that begin with `x-amz-`.
const HEADERS: [&str; 9] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
    "if-match",
    "if-none-match",
];

/// Names in lower case, each once, with their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field. One that comes twice is refused: the policy could be held to the one and the object made of the other.
    pub fn push(&mut self, name: &str, value: String) -> Result<(), S3Error> {
        let name = name.to_ascii_lowercase();
        if self.get(&name).is_some() {
            let message = "Bucket POST must not contain a field more than once.";
            return Err(S3Error::invalid_argument(message, &name, &value));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The value of the field with this name, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The headers of a PutObject that stores the same: the fields in place of the form's own headers of these names.
    /// Empty ones are as if absent: a browser sends a field that nobody filled in. Fails for a value that could not be a
    /// header's: it would be sent as one.
    pub fn headers(&self, of_form: &Headers) -> Result<Headers, S3Error> {
        let mut headers: Headers = of_form.iter().filter(|(name, _)| !is_header(name)).collect();
        for (name, value) in self.0.iter().filter(|(name, value)| !value.is_empty() && is_header(name)) {
            if value.chars().any(char::is_control) {
                return Err(S3Error::invalid_argument("Header value cannot be represented", name, value));
            }
            match name.as_str() {
                "acl" => headers.push("x-amz-acl", value.as_str()),
                // Forms are UTF-8, headers are not: this is how a header carries other characters.
                name if name.starts_with("x-amz-meta-") => headers.push(name, rfc2047::encode(value).as_ref()),
                name => headers.push(name, value.as_str()),
            }
        }
        Ok(headers)
    }

    /// The key that the object shall have, with `file_name` in place of `${filename}`.
    pub fn key(&self, file_name: &str) -> Result<String, S3Error> {
        let Some(key) = self.get("key") else {
            let message = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.";
            return Err(S3Error::invalid_argument(message, "key", ""));
        };
        let key = key.replace("${filename}", file_name);
        if key.is_empty() { Err(S3Error::new(Code::UserKeyMustBeSpecified)) } else { Ok(key) }
    }
}

fn is_header(field: &str) -> bool {
    field == "acl" || field.starts_with("x-amz-") || HEADERS.contains(&field)
}

/// The name of a file without the path that some browsers send along.
pub fn file_name_of(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(given: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in given {
            fields.push(name, (*value).to_owned()).unwrap();
        }
        fields
    }

    #[test]
    fn names_are_the_same_in_any_case_and_come_once() {
        let mut fields = fields(&[("Content-Type", "text/plain"), ("KEY", "k")]);
        assert_eq!((fields.get("content-type"), fields.get("key")), (Some("text/plain"), Some("k")));
        let refused = fields.push("Key", "other".to_owned()).unwrap_err();
        assert_eq!((refused.code, fields.get("key")), (Code::InvalidArgument, Some("k")));
    }

    #[test]
    fn the_file_s_name_goes_into_the_key() {
        let key = |key: &str, path: &str| fields(&[("key", key)]).key(file_name_of(path));
        for (given, path, expected) in [
            ("user/${filename}", "photo.jpg", "user/photo.jpg"),
            ("${filename}", "C:\\Documents\\photo.jpg", "photo.jpg"),
            ("${filename}/${filename}", "/home/a/b", "b/b"),
            ("$filename", "b", "$filename"),
            ("a/${filename}", "", "a/"),
            ("a", "${filename}", "a"),
        ] {
            assert_eq!(key(given, path).unwrap(), expected, "{given} with {path}");
        }
        assert_eq!(key("${filename}", "").unwrap_err().code, Code::UserKeyMustBeSpecified);
        assert_eq!(fields(&[]).key("a").unwrap_err().details[0], ("ArgumentName", "key".to_owned()));
    }

    #[test]
    fn fields_become_headers_unless_they_are_empty() {
        let given =
            [("acl", "private"), ("x-amz-meta-a", "1"), ("Content-Encoding", ""), ("policy", "e30=\n"), ("host", "x")];
        let own = [("host", "h"), ("content-type", "multipart/form-data"), ("x-amz-tagging", "a=b"), ("referer", "r")];
        let headers = fields(&given).headers(&own.into_iter().collect()).unwrap();
        assert_eq!((headers.text("host"), headers.text("referer")), (Ok(Some("h")), Ok(Some("r"))));
        assert_eq!(headers.text("x-amz-acl"), Ok(Some("private")));
        assert_eq!(headers.text("x-amz-meta-a"), Ok(Some("1")));
        assert_eq!(headers.iter().count(), 4);
        let refused = fields(&[("Cache-Control", "a\r\nx-injected: b")]).headers(&Headers::default()).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument);
    }
}
