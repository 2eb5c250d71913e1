//! The address of a shared store: what can be one, and how it is shown. A name and password in it, or a token in its
//! query, are for nobody to read, so that no address is ever printed but with them taken out. `septet` compiles this
//! very file as a module of its own. It must not open anything.

use std::fmt;

/// Ways in which a shared store can be reached.
pub const SCHEMES: [&str; 4] = ["s3://", "https://", "http://", "file:///"];
/// Longest address, bytes.
const BYTES_MAX: usize = 1000;
/// What stands for what is not shown.
const HIDDEN: &str = "***";
/// Shorter secrets are words that stand elsewhere, too; in an address they are hidden whatever their length.
const SECRET_BYTES_MIN: usize = 4;

/// An address. Displayed and debugged without what is secret in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address that `text` is.
    ///
    /// # Errors
    /// Completes "failed to ...", and shows nothing that is secret.
    pub fn parse(text: &str) -> Result<Address, String> {
        let unfit = |why: &str| Err(format!("use the address '{}': {why}", hidden(text)));
        if text.len() > BYTES_MAX {
            return Err(format!("use an address of {} bytes: it has {BYTES_MAX} at most", text.len()));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return unfit("it has a blank or a control character");
        }
        let Some(scheme) = SCHEMES.into_iter().find(|scheme| text.starts_with(scheme)) else {
            return unfit("only s3://, https://, http:// and file:/// are known");
        };
        let rest = &text[scheme.len()..];
        let (place, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let (authority, path) = match scheme {
            "file:///" => ("", place),
            _ => place.split_at(place.find('/').unwrap_or(place.len())),
        };
        if let Some(why) = climbs(path) {
            return unfit(why);
        }
        match scheme {
            "file:///" if path.split('/').all(str::is_empty) => unfit("it names / itself; name a folder for the store"),
            "file:///" if !query.is_empty() => unfit("a folder has neither '?' nor '#' in its address"),
            "file:///" => Ok(Address(text.to_string())),
            _ if authority.rsplit('@').next().unwrap_or("").is_empty() => unfit("it names no host or bucket"),
            "s3://" if authority.contains('@') || !query.is_empty() => {
                unfit("keys do not belong into it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            }
            _ => Ok(Address(text.to_string())),
        }
    }

    /// The address as it is, for whoever opens it.
    pub fn in_full(&self) -> &str {
        &self.0
    }

    /// Somebody's words about the address, without what is secret in it.
    pub fn without_secrets(&self, text: &str) -> String {
        let mut text = hidden(text);
        for secret in self.secrets().iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN) {
            text = text.replace(secret.as_str(), HIDDEN);
        }
        text
    }

    /// Everything in the address that nobody is to read, as it is written and as it is meant; the longest first.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let (place, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let authority = place.split('/').next().unwrap_or("");
        if let Some((user, _)) = authority.rsplit_once('@') {
            secrets.push(user.to_string());
            secrets.extend(user.split(':').map(str::to_string));
        }
        for part in query.split(['?', '&', '#']) {
            secrets.push(part.to_string());
            secrets.extend(part.split_once('=').map(|(_, value)| value.to_string()));
        }
        let decoded: Vec<String> = secrets.iter().filter_map(|secret| decoded(secret)).collect();
        secrets.extend(decoded);
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hidden(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Why a path leads elsewhere than its words say, if it does.
fn climbs(path: &str) -> Option<&'static str> {
    let named = |segment: &str| match decoded(segment) {
        None => Some("it has a '%' that stands for no character"),
        Some(name) if name == "." || name == ".." => Some("it has '.' or '..' in its path: write where it leads"),
        Some(name) if name.contains(['/', '\\', '\0']) => Some("a name in its path has a '/', '\\' or NUL in it"),
        Some(_) => None,
    };
    path.split('/').find_map(named)
}

/// A text with its `%41` read; none if one of them stands for nothing.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// A text in which every address has lost what may be secret in it: all before an `@`, all behind a `?` or `#`.
pub fn hidden(text: &str) -> String {
    replaced(text, |_| HIDDEN.to_string())
}

/// A text in which what may be secret in an address is replaced by something else.
pub fn replaced(text: &str, by: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // What is no address may be meant as one.
    if !rest.contains("://") && !rest.contains(char::is_whitespace) {
        return replaced_in_address(rest, &by);
    }
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start + 3);
        out.push_str(before);
        let end = address.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(address.len());
        out.push_str(&replaced_in_address(&address[..end], &by));
        rest = &address[end..];
    }
    out + rest
}

fn replaced_in_address(address: &str, by: &impl Fn(&str) -> String) -> String {
    let (before, at, rest) = match address.rsplit_once('@') {
        Some((user, rest)) => (by(user), "@", rest),
        None => (String::new(), "", address),
    };
    let cut = rest.find(['?', '#']).map_or(rest.len(), |mark| mark + 1);
    let (place, query) = rest.split_at(cut);
    let query = if query.is_empty() { String::new() } else { by(query) };
    format!("{before}{at}{place}{query}")
}

#[cfg(test)]
mod tests {
    use super::{Address, hidden, replaced};

    #[test]
    fn what_is_secret_in_an_address_is_never_shown() {
        for (text, shown) in [
            ("https://me:pw@host/x", "https://***@host/x"),
            ("https://token@host:8443/x", "https://***@host:8443/x"),
            ("http://me:p@w@host/x", "http://***@host/x"),
            ("https://host/x?X-Amz-Signature=abc&X-Amz-Credential=def", "https://host/x?***"),
            ("https://host/x#sig", "https://host/x#***"),
            ("https://me:pw@host/x?sig=abc", "https://***@host/x?***"),
            ("https://host/x", "https://host/x"),
            ("s3://bucket/x", "s3://bucket/x"),
            ("file:///srv/x", "file:///srv/x"),
        ] {
            assert_eq!(hidden(text), shown);
            let said = format!("error sending request for url ({text}): no route");
            assert!(!hidden(&said).contains("pw") && !hidden(&said).contains("abc"), "{}", hidden(&said));
            let masked = replaced(text, |secret| "*".repeat(secret.chars().count()));
            assert_eq!(masked.chars().count(), text.chars().count());
            assert_eq!(hidden(&masked), shown);
        }
        let address = Address::parse("https://me:s%65cret@host/x?sig=a1b2c3").expect("it is one");
        assert_eq!(address.to_string(), "https://***@host/x?***");
        assert!(!format!("{address:?}").contains("cret"));
        let said = address.without_secrets("password secret or s%65cret with a1b2c3 was refused by host");
        assert_eq!(said, "password *** or *** with *** was refused by host");
    }

    #[test]
    fn what_is_refused_is_refused_without_its_secrets() {
        for text in ["ftp://me:hidden@host/x", "me:hidden@host", "s3://me:hidden@bucket/x", "https://me:hidden@/x"] {
            let reason = Address::parse(text).expect_err(text);
            assert!(!reason.contains("hidden"), "{reason}");
        }
    }

    #[test]
    fn an_address_leads_where_it_says() {
        for text in ["file:///srv/septet", "file:///a/..b/c...", "s3://bucket", "s3://bucket/a/b", "http://[::1]:80/x"]
        {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
        for text in [
            "file:///",
            "file:////",
            "file://",
            "file://host/x",
            "file:/x",
            "file:///a/../b",
            "file:///..",
            "file:///a/.",
            "file:///%2e%2e/etc",
            "file:///a/.%2E/b",
            "file:///a%2fb",
            "file:///a\\..\\b",
            "file:///a/%",
            "file:///a/%00",
            "file:///a b",
            "file:///a/.\t./b",
            "file:///a?x",
            "s3://",
            "s3:///x",
            "s3://bucket/../other",
            "https://",
            "https://host/a/%2e%2e/b",
            "gopher://x",
            "",
            "/srv/x",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
