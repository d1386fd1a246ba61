//! Error pages in the shape of S3's website endpoint, which people and scripts know.

use super::failure::Failure;

/// The page for a failure. `document` is why the site's own error document could not be had in its place.
pub fn error_page(failure: &Failure, document: Option<&Failure>, request_id: &str, host_id: &str) -> String {
    let title = title(failure.status());
    let mut page = format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n");
    push_lines(&mut page, failure);
    push_line(&mut page, "RequestId", request_id);
    push_line(&mut page, "HostId", host_id);
    page.push_str("</ul>\n");
    if let Some(document) = document {
        page.push_str("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n");
        push_lines(&mut page, document);
        page.push_str("</ul>\n");
    }
    page.push_str("<hr/>\n</body>\n</html>\n");
    page
}

fn push_lines(page: &mut String, failure: &Failure) {
    push_line(page, "Code", failure.code.as_str());
    push_line(page, "Message", &failure.message);
    for (name, value) in &failure.details {
        push_line(page, name, value);
    }
}

fn push_line(page: &mut String, name: &str, value: &str) {
    page.push_str("<li>");
    page.push_str(name);
    page.push_str(": ");
    push_escaped(page, value);
    page.push_str("</li>\n");
}

/// Adds text so that it is nothing but text: names of hosts, keys and methods come from whoever asks.
fn push_escaped(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            // No browser needs them, and some read them as something else.
            other if other.is_control() => page.push(char::REPLACEMENT_CHARACTER),
            other => page.push(other),
        }
    }
}

fn title(status: u16) -> String {
    let reason = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        412 => "Precondition Failed",
        416 => "Requested Range Not Satisfiable",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    format!("{status} {reason}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::failure::Code;
    use super::*;

    #[test]
    fn a_page_is_the_one_that_s3_sends() {
        let page = error_page(&Failure::missing("x"), None, "REQUEST", "HOST");
        assert_eq!(
            page,
            "<html>\n<head><title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n<ul>\n\
             <li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n<li>Key: x</li>\n\
             <li>RequestId: REQUEST</li>\n<li>HostId: HOST</li>\n</ul>\n<hr/>\n</body>\n</html>\n"
        );
    }

    #[test]
    fn a_document_that_cannot_be_had_adds_a_second_list() {
        let (failure, document) = (Failure::new(Code::AccessDenied), Failure::missing("error.html"));
        let page = error_page(&failure, Some(&document), "R", "H");
        let second = page.split("</ul>\n").nth(1).unwrap();
        assert_eq!(
            second,
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n\
             <li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n<li>Key: error.html</li>\n"
        );
        assert!(page.contains("<h1>403 Forbidden</h1>") && !page.contains("<li>Key: x</li>"));
    }

    #[test]
    fn every_code_has_a_title_of_its_status() {
        for code in Code::ALL {
            let named = title(code.status()) != format!("{} Internal Server Error", code.status());
            assert_eq!(named, *code != Code::InternalError, "{}", code.as_str());
        }
    }

    proptest! {
        #[test]
        fn no_key_becomes_markup(key: String) {
            let page = error_page(&Failure::missing(&key), None, "R", "H");
            let inner = page.split("<li>Key: ").nth(1).unwrap().split("</li>\n<li>RequestId").next().unwrap();
            prop_assert!(!inner.contains(['<', '>', '"', '\'']) && !inner.chars().any(char::is_control));
        }
    }
}
