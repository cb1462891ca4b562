//! `multipart/form-data` (RFC 7578), as far as it holds plain fields: no files, and all of it in memory already.

/// The boundary that a content type names.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1);
    let found = parameters
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let boundary = found?.1.trim().trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Names and values of the fields; none for what is no such text.
pub(crate) fn fields<'a>(text: &'a str, boundary: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let first = format!("--{boundary}");
    let delimiter = format!("\r\n--{boundary}");
    // A preamble is nobody's business, but nobody sends one.
    let mut rest = text.strip_prefix(&first)?;
    let mut fields = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix("--") {
            return end.trim().is_empty().then_some(fields);
        }
        let part = rest.strip_prefix("\r\n")?;
        let (part, after) = part.split_once(&delimiter)?;
        let (head, value) = part.split_once("\r\n\r\n")?;
        fields.push((name(head)?, value));
        rest = after;
    }
}

/// The name that the head of a part gives it; none for a file.
fn name(head: &str) -> Option<&str> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let mut found = None;
    for parameter in disposition.split(';').skip(1) {
        let (key, value) = parameter.trim().split_once('=')?;
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => found = Some(value.trim().trim_matches('"')),
            _ => return None,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_fields_are_read() {
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("multipart/form-data; charset=utf-8; Boundary=x"), Some("x"));
        assert_eq!(boundary("multipart/form-data"), None);
        let text = "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nan id\r\n--x\r\n\
                    Content-Type: text/plain\r\ncontent-disposition: form-data; name=password\r\n\r\na\r\nb--x\r\n--x--\r\n";
        assert_eq!(fields(text, "x"), Some(vec![("username", "an id"), ("password", "a\r\nb--x")]));
        assert_eq!(fields("--x--", "x"), Some(vec![]));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "",
            "--x",
            "--x\r\n",
            "--y--",
            "--x--more",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
            "--x\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x--",
            "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nb\r\n--x--",
            "--x\r\n\r\nb\r\n--x--",
        ] {
            assert_eq!(fields(bad, "x"), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(--x|\r\n|[a-z:;=\" -]){0,60}") {
            let _ = fields(&text, "x");
            let _ = boundary(&text);
        }
    }
}
