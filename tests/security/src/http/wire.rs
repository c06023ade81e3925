//! Reads an HTTP/1.1 answer from the bytes of a closed connection.

use super::Answer;

/// The answer, `None` while the bytes are not a whole one. `closed`: no more will come, so a body without an announced
/// length is complete. `bodiless`: it answers a HEAD, and announces the length of what it does not send.
pub(super) fn parse(bytes: &[u8], closed: bool, bodiless: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (bytes.get(..end)?, bytes.get(end + 4..)?);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    if status == 100 {
        return parse(body, closed, bodiless);
    }
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header =
        |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let body = if bodiless {
        Vec::new()
    } else if header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        unchunk(body)?
    } else if let Some(length) = header("content-length") {
        body.get(..length.parse().ok()?)?.to_vec()
    } else if closed || matches!(status, 204 | 304) {
        body.to_vec()
    } else {
        return None;
    };
    Some(Answer { status, headers, body })
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(bytes.get(..line)?).ok()?.split(';').next()?.trim().to_owned();
        let size = usize::from_str_radix(&size, 16).ok()?;
        bytes = bytes.get(line + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_a_body_of_known_length() {
        let answer =
            parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi", false, false).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"hi".as_slice()));
        assert_eq!(answer.headers[1], ("x-a".to_owned(), "b".to_owned()));
    }

    #[test]
    fn reads_chunks_after_a_continue() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Big\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x=y\r\n!\r\n0\r\n\r\n";
        let answer = parse(bytes, false, false).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (413, b"hi!".as_slice()));
    }

    #[test]
    fn half_an_answer_is_none() {
        for bytes in
            [b"".as_slice(), b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"]
        {
            assert!(parse(bytes, true, false).is_none());
        }
    }

    #[test]
    fn a_body_of_unknown_length_ends_with_the_connection() {
        let bytes = b"HTTP/1.1 200 OK\r\n\r\nhi";
        assert!(parse(bytes, false, false).is_none());
        assert_eq!(parse(bytes, true, false).unwrap().body, b"hi");
        assert_eq!(parse(b"HTTP/1.1 204 No Content\r\n\r\n", false, false).unwrap().status, 204);
    }
}
