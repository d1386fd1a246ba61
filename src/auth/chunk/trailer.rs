//! The section behind the last chunk.

use super::super::error::Error;
use super::ChunkPlan;

/// The longest trailer section, in bytes.
pub(super) const MAX_TRAILER_BYTES: usize = 16 * 1024;

const SIGNATURE: &str = "x-amz-trailer-signature";

/// The fields that came behind the body: exactly those announced in `x-amz-trailer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trailers(Vec<(String, String)>);

impl Trailers {
    /// The value of the field `name`, in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Names, in lower case, and values, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Parses the whole section, which reaches to the end of the body, and verifies its signature if it must have one.
    ///
    /// Lines may end in LF, and empty lines may come between them: minio-go sends `name:value LF CR LF` before the
    /// signature, and so do examples in AWS's documentation. Nothing but lines can be in the section, so no bytes get
    /// lost by that.
    pub(super) fn parse(section: &[u8], plan: &mut ChunkPlan) -> Result<Self, Error> {
        let section = std::str::from_utf8(section).map_err(|_| Error::MalformedTrailer("it is not text"))?;
        let Some(section) = section.strip_suffix('\n') else {
            return Err(Error::IncompleteBody { announced: plan.decoded_length });
        };
        let mut trailers = Self::default();
        let mut signature = None;
        for line in section.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            if line.is_empty() {
                continue;
            }
            if signature.is_some() {
                return Err(Error::MalformedTrailer("something follows its signature"));
            }
            let (name, value) = field(line)?;
            match name.as_str() {
                SIGNATURE if plan.signer.is_some() && plan.has_trailer => signature = Some(value),
                _ => trailers.add(name, value, plan)?,
            }
        }
        if trailers.0.len() != plan.announced.len() {
            return Err(Error::MalformedTrailer("an announced field is missing"));
        }
        trailers.verify(signature, plan)?;
        Ok(trailers)
    }

    fn add(&mut self, name: String, value: String, plan: &ChunkPlan) -> Result<(), Error> {
        if !plan.announced.contains(&name) {
            return Err(Error::MalformedTrailer("it has a field that x-amz-trailer does not announce"));
        }
        if self.get(&name).is_some() {
            return Err(Error::MalformedTrailer("it has a field twice"));
        }
        self.0.push((name, value));
        Ok(())
    }

    fn verify(&self, signature: Option<String>, plan: &mut ChunkPlan) -> Result<(), Error> {
        let Some(signer) = plan.signer.as_mut().filter(|_| plan.has_trailer) else { return Ok(()) };
        let signature = signature.ok_or(Error::MalformedTrailer("its signature is missing"))?;
        let mut lines: Vec<String> = self.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        lines.sort_unstable();
        signer.verify_trailer(&lines.concat(), &signature)
    }
}

fn field(line: &str) -> Result<(String, String), Error> {
    let (name, value) = line.split_once(':').ok_or(Error::MalformedTrailer("a line is no field"))?;
    if value.contains('\r') {
        return Err(Error::MalformedTrailer("a value has a line end in it"));
    }
    Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}
