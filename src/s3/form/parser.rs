//! A `multipart/form-data` body (RFC 7578), taken apart as it comes: fields whole, the file piece by piece.
//!
//! The `multer` crate does the parsing. It pulls from a stream that may cross threads, which actix's payload may not; here
//! bytes are pushed instead, into a queue that is its stream. So what is in memory is what was pushed, and every cut of a
//! body can be tested without a server.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use multer::{Field, Multipart};
use parking_lot::Mutex;

use super::fields::{Fields, file_name_of};
use crate::s3::error::{Code, S3Error};

/// The most bytes before the file, as S3 has it: fields, their headers and boundaries.
pub const MAX_FIELD_BYTES: usize = 20 * 1024;
/// How much is parsed at a time until the file begins: so much more than that bound may be parsed.
const STEP_BYTES: usize = 1024;

/// What comes next in a form.
#[derive(Debug)]
pub enum Step {
    /// Nothing, until more bytes are pushed.
    Hungry,
    /// The fields are whole and the file begins. It has this name; text areas have none.
    File { fields: Fields, name: String },
    /// Bytes of the file.
    Data(Bytes),
    /// The file is whole. What may follow is ignored, as S3 does.
    Done,
}

/// Takes one form apart.
pub struct FormParser {
    multipart: Multipart<'static>,
    queue: Queue,
    /// Pushed, and not parsed yet.
    waiting: VecDeque<Bytes>,
    ended: bool,
    state: State,
    fields: Fields,
    /// How many bytes were parsed before the file.
    parsed: usize,
}

enum State {
    Between,
    Field(Part),
    File(Field<'static>),
    Done,
}

/// A field that is being received.
struct Part {
    field: Field<'static>,
    name: String,
    value: Vec<u8>,
}

/// The stream that the parser pulls from.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<(VecDeque<Bytes>, bool)>>);

impl Stream for Queue {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (bytes, ended) = &mut *self.0.lock();
        match bytes.pop_front() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None if *ended => Poll::Ready(None),
            // Whoever pushes polls again: nobody is to be woken.
            None => Poll::Pending,
        }
    }
}

impl FormParser {
    /// Begins a form of this content type, or tells that it is none.
    pub fn new(content_type: &str) -> Result<Self, S3Error> {
        let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
        let queue = Queue::default();
        Ok(Self {
            multipart: Multipart::new(queue.clone(), boundary),
            queue,
            waiting: VecDeque::new(),
            ended: false,
            state: State::Between,
            fields: Fields::default(),
            parsed: 0,
        })
    }

    /// Adds the next bytes of the body.
    pub fn push(&mut self, bytes: Bytes) {
        self.waiting.push_back(bytes);
    }

    /// Tells that the body has ended.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Gives what comes next. Fails for what is no form, and for one whose fields are too many.
    pub fn next(&mut self) -> Result<Step, S3Error> {
        loop {
            if let Poll::Ready(step) = self.poll()? {
                return Ok(step);
            }
            if !self.feed()? {
                return Ok(Step::Hungry);
            }
        }
    }

    /// Parses what the queue holds; pending where that is not enough.
    fn poll(&mut self) -> Result<Poll<Step>, S3Error> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let next = match std::mem::replace(&mut self.state, State::Between) {
                State::Between => self.poll_part(&mut cx)?,
                State::Field(part) => self.poll_field(part, &mut cx)?,
                State::File(field) => self.poll_file(field, &mut cx)?,
                State::Done => {
                    self.state = State::Done;
                    Some(Poll::Ready(Step::Done))
                }
            };
            if let Some(next) = next {
                return Ok(next);
            }
        }
    }

    /// Looks for the next field, or the file. `None`, here and below: go on.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Result<Option<Poll<Step>>, S3Error> {
        match self.multipart.poll_next_field(cx).map_err(malformed)? {
            Poll::Ready(Some(field)) => Ok(self.begin(field)?.map(Poll::Ready)),
            Poll::Ready(None) => Err(no_file()),
            Poll::Pending => Ok(Some(Poll::Pending)),
        }
    }

    fn poll_field(&mut self, mut part: Part, cx: &mut Context<'_>) -> Result<Option<Poll<Step>>, S3Error> {
        match Pin::new(&mut part.field).poll_next(cx) {
            Poll::Ready(Some(bytes)) => {
                part.value.extend_from_slice(&bytes.map_err(malformed)?);
                self.state = State::Field(part);
                Ok(None)
            }
            Poll::Ready(None) => {
                let value = String::from_utf8(part.value).map_err(|_| S3Error::new(Code::MalformedPOSTRequest))?;
                self.fields.push(&part.name, value)?;
                Ok(None)
            }
            Poll::Pending => {
                self.state = State::Field(part);
                Ok(Some(Poll::Pending))
            }
        }
    }

    fn poll_file(&mut self, mut field: Field<'static>, cx: &mut Context<'_>) -> Result<Option<Poll<Step>>, S3Error> {
        let polled = Pin::new(&mut field).poll_next(cx);
        self.state = if let Poll::Ready(None) = polled { State::Done } else { State::File(field) };
        match polled {
            Poll::Ready(Some(bytes)) => Ok(Some(Poll::Ready(Step::Data(bytes.map_err(malformed)?)))),
            Poll::Ready(None) => Ok(None),
            Poll::Pending => Ok(Some(Poll::Pending)),
        }
    }

    /// Begins a field, or the file.
    fn begin(&mut self, field: Field<'static>) -> Result<Option<Step>, S3Error> {
        let name = field.name().ok_or_else(|| S3Error::new(Code::MalformedPOSTRequest))?.to_owned();
        if !name.eq_ignore_ascii_case("file") {
            self.state = State::Field(Part { field, name, value: Vec::new() });
            return Ok(None);
        }
        let file_name = file_name_of(field.file_name().unwrap_or_default()).to_owned();
        self.state = State::File(field);
        Ok(Some(Step::File { fields: std::mem::take(&mut self.fields), name: file_name }))
    }

    /// Moves bytes from what waits to the queue: few at a time before the file. Tells whether there was anything.
    fn feed(&mut self) -> Result<bool, S3Error> {
        let Some(mut bytes) = self.waiting.pop_front() else {
            let ended = &mut self.queue.0.lock().1;
            return Ok(self.ended && !std::mem::replace(ended, true));
        };
        if !matches!(self.state, State::File(_) | State::Done) {
            if self.parsed > MAX_FIELD_BYTES {
                return Err(S3Error::new(Code::MaxPostPreDataLengthExceeded));
            }
            let rest = bytes.split_off(bytes.len().min(STEP_BYTES));
            if !rest.is_empty() {
                self.waiting.push_front(rest);
            }
            self.parsed += bytes.len();
        }
        self.queue.0.lock().0.push_back(bytes);
        Ok(true)
    }
}

fn malformed(error: multer::Error) -> S3Error {
    S3Error::new(Code::MalformedPOSTRequest).caused_by(error)
}

/// What S3 answers to a form without a file.
fn no_file() -> S3Error {
    S3Error::invalid_argument("POST requires exactly one file upload per request.", "file", "0")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=xYz";

    /// A part with the headers that browsers give it.
    fn part(name: &str, value: &str) -> String {
        format!("--xYz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    fn file(name: &str, content: &str) -> String {
        let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        format!("--xYz\r\n{disposition}\r\nContent-Type: text/plain\r\n\r\n{content}\r\n")
    }

    type Form = (Fields, String, Vec<u8>);

    /// The form that comes in these pieces.
    fn parse<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<Form, Code> {
        let mut pieces = pieces.into_iter();
        let mut parser = FormParser::new(TYPE).map_err(|error| error.code)?;
        let mut form = (Fields::default(), String::new(), Vec::new());
        loop {
            match parser.next().map_err(|error| error.code)? {
                Step::Hungry => match pieces.next() {
                    Some(piece) => parser.push(Bytes::copy_from_slice(piece)),
                    None if parser.ended => panic!("it is hungry after the end"),
                    None => parser.end(),
                },
                Step::File { fields, name } => (form.0, form.1) = (fields, name),
                Step::Data(bytes) => form.2.extend_from_slice(&bytes),
                Step::Done => return Ok(form),
            }
        }
    }

    fn whole(body: &str) -> Result<Form, Code> {
        parse([body.as_bytes()])
    }

    fn sample() -> String {
        let content = "first\r\n--xY\r\n--x\r\r\n--xyz\n--xYz\r\n";
        [part("key", "a/${filename}"), part("Policy", ""), file("C:\\a b.txt", content), part("submit", "go")].concat()
            + "--xYz--\r\n"
    }

    #[test]
    fn a_form_is_its_fields_and_its_file() {
        let (fields, name, content) = whole(&sample()).unwrap();
        assert_eq!(fields.names().collect::<Vec<_>>(), ["key", "policy"], "what follows the file does not count");
        assert_eq!((fields.get("key"), fields.get("policy")), (Some("a/${filename}"), Some("")));
        assert_eq!(
            (name.as_str(), content.as_slice()),
            ("a b.txt", &b"first\r\n--xY\r\n--x\r\r\n--xyz\n--xYz\r\n"[..])
        );
    }

    #[test]
    fn every_cut_of_a_body_gives_the_same_form() {
        let body = sample().into_bytes();
        let expected = parse([&body[..]]).unwrap();
        for at in 0..=body.len() {
            let (first, second) = body.split_at(at);
            assert_eq!(parse([first, second]).unwrap(), expected, "cut at {at}");
        }
        assert_eq!(parse(body.chunks(1)).unwrap(), expected);
    }

    #[test]
    fn files_may_be_empty_and_have_no_name() {
        let text_area = part("file", "") + "--xYz--";
        assert_eq!(whole(&text_area).unwrap(), (Fields::default(), String::new(), vec![]));
        assert_eq!(whole(&(part("FILE", "text") + "--xYz--")).unwrap().2, b"text");
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for body in [
            String::new(),
            "--xYz".to_owned(),
            "nothing of the kind".to_owned(),
            part("key", "k"),
            file("a", "content without an end").trim_end().to_owned(),
            "--xYz\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--xYz--".to_owned(),
            "--xYz\r\nno header at all\r\n\r\nx\r\n--xYz--".to_owned(),
        ] {
            assert_eq!(whole(&body), Err(Code::MalformedPOSTRequest), "{body:?}");
        }
        let broken = [b"--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--xYz--".as_slice()];
        assert_eq!(parse(broken), Err(Code::MalformedPOSTRequest), "fields are UTF-8");
        assert_eq!(whole(&(part("key", "k") + "--xYz--")), Err(Code::InvalidArgument), "there is no file");
        for content_type in ["multipart/form-data", "text/plain; boundary=a", "multipart/mixed; boundary=a", ""] {
            assert_eq!(FormParser::new(content_type).err().unwrap().code, Code::MalformedPOSTRequest, "{content_type}");
        }
    }

    #[test]
    fn what_stands_before_the_file_is_bounded() {
        let fits = part("x-ignore-a", &"x".repeat(MAX_FIELD_BYTES - 200)) + &file("a", "content") + "--xYz--";
        assert_eq!(whole(&fits).unwrap().2, b"content");
        let long = "x".repeat(MAX_FIELD_BYTES + 2 * STEP_BYTES);
        let many = part("a", "").repeat(MAX_FIELD_BYTES / 40).replacen("\"a\"", "\"b\"", 1);
        for body in [
            part("a", &long) + &file("a", ""),
            format!("--xYz\r\nX: {long}"),
            long.clone(),
            format!("{long}\r\n{many}"),
        ] {
            assert_eq!(whole(&body), Err(Code::MaxPostPreDataLengthExceeded));
        }
        let large = "x".repeat(10 * MAX_FIELD_BYTES);
        assert_eq!(whole(&(file("a", &large) + "--xYz--")).unwrap().2.len(), large.len(), "the file is not");
    }

    proptest! {
        #[test]
        fn any_cuts_of_any_file_give_the_same(
            content in "([a-z]|\r|\n|-|--xYz|\r\n--xY|\r\n){0,60}",
            cuts in proptest::collection::vec(1_usize..40, 0..40),
        ) {
            // A boundary at the beginning of a line would end the file.
            prop_assume!(!format!("\r\n{content}").contains("\r\n--xYz"));
            let body = part("key", "k") + &file("name", &content) + "--xYz--";
            let mut rest = body.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            pieces.push(rest);
            prop_assert_eq!(parse(pieces).unwrap().2, content.into_bytes());
        }
    }
}
