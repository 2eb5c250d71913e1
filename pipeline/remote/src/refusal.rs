//! What a store means when it refuses: the code in its answer in words, and which variable to look at. It must not
//! speak to anybody.

use crate::endpoint::Keys;

/// Most characters of an answer that nobody here understands.
const ANSWER_CHARS_MAX: usize = 300;

/// An error of the object store on one line: what went wrong, without the page around it, and what to do about it.
/// `keys` are those that the store was asked with; none, if it is not S3.
pub fn words(text: &str, keys: Option<Keys>) -> String {
    let text = text.split_whitespace().collect::<Vec<&str>>().join(" ");
    let code = element(&text, "Code").unwrap_or_default();
    if let Some(words) = keys.and_then(|keys| of_s3(code, &text, keys)) {
        return words;
    }
    let Some(page) = text.find(['<', '{']) else { return text };
    match element(&text, "Message") {
        Some(message) => format!("{}{message}", &text[..page]),
        None => format!("{}...", text[..page].chars().take(ANSWER_CHARS_MAX).collect::<String>()),
    }
}

fn of_s3(code: &str, text: &str, keys: Keys) -> Option<String> {
    let has = |word: &str| text.contains(word);
    let said = match element(text, "Message") {
        Some(message) => format!(" (it says {code}: {message})"),
        None => String::new(),
    };
    let why = match code {
        "InvalidAccessKeyId" => "the server does not know the key in AWS_ACCESS_KEY_ID".to_string(),
        "SignatureDoesNotMatch" => "AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID".to_string(),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            "AWS_SESSION_TOKEN is no longer valid: log in again".to_string()
        }
        "RequestTimeTooSkewed" => "the clock of this machine differs too much from the server's".to_string(),
        "NoSuchBucket" => {
            let bucket = element(text, "BucketName").map(|name| format!(" {name}")).unwrap_or_default();
            format!("there is no bucket{bucket}: look at the address and at AWS_ENDPOINT_URL, or make it")
        }
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            "the bucket is in another region: set AWS_REGION".to_string()
        }
        _ if has("403 Forbidden") || has("401 Unauthorized") => match keys {
            Keys::Anonymous => {
                "it is not open to all: unset AWS_SKIP_SIGNATURE, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_string()
            }
            Keys::Environment => "the key in AWS_ACCESS_KEY_ID may not do that".to_string(),
            Keys::OfTheCloud => "the keys that this machine's cloud gave may not do that".to_string(),
        },
        _ if has("301 Moved") || has("307 Temporary") => "the bucket is in another region: set AWS_REGION".to_string(),
        _ if has("client error (Connect)") || has("dns error") => {
            let cause = text.rsplit(": ").next().unwrap_or_default();
            format!("nobody answers ({cause}): look at AWS_ENDPOINT_URL")
        }
        _ => return None,
    };
    Some(why + &said)
}

/// What stands in an element of an answer in XML.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let rest = &text[text.find(&open)? + open.len()..];
    Some(&rest[..rest.find(&close)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Generic S3 error: Error performing GET http://h/b/format in 9 ms - Server returned non-2xx status code: ";

    fn of(status: &str, code: &str, keys: Keys) -> String {
        let body = format!("<?xml version=\"1.0\"?> <Error><Code>{code}</Code><Message>No.</Message></Error>");
        words(&format!("{HEAD}{status}: {body}"), Some(keys))
    }

    #[test]
    fn what_is_wrong_is_named_by_its_variable() {
        for (status, code, named) in [
            ("403 Forbidden", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
            ("403 Forbidden", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY is not the secret"),
            ("400 Bad Request", "ExpiredToken", "AWS_SESSION_TOKEN"),
            ("403 Forbidden", "AccessDenied", "may not do that"),
            ("404 Not Found", "NoSuchBucket", "there is no bucket"),
            ("400 Bad Request", "AuthorizationHeaderMalformed", "AWS_REGION"),
        ] {
            let said = of(status, code, Keys::Environment);
            assert!(said.contains(named) && said.ends_with(&format!("(it says {code}: No.)")), "{said}");
            assert!(!said.contains('<'), "{said}");
        }
        assert!(of("403 Forbidden", "AccessDenied", Keys::Anonymous).contains("unset AWS_SKIP_SIGNATURE"));
    }

    #[test]
    fn a_page_is_cut_and_what_is_not_known_is_passed_on() {
        let said =
            words(&format!("{HEAD}500 Internal Server Error: <!doctype html> <p>Long.</p>"), Some(Keys::Environment));
        assert!(said.contains("500 Internal Server Error") && !said.contains('<'), "{said}");
        assert_eq!(words("HTTP error: request timed out", None), "HTTP error: request timed out");
        let refused = "x: client error (Connect): tcp connect error: Connection refused (os error 111)";
        assert_eq!(
            words(refused, Some(Keys::Environment)),
            "nobody answers (Connection refused (os error 111)): look at AWS_ENDPOINT_URL"
        );
        for odd in ["<Code>", "</Code><Code>", "<Code></Code><Message>", "{", ""] {
            words(odd, Some(Keys::Anonymous));
        }
    }
}
