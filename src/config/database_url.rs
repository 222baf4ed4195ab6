//! Checks of a database URL before the driver parses it.
//!
//! The driver ignores unknown parameters and logs their values. It parses parts of a password that is not
//! percent-encoded as host or port, which errors then show.

use super::names::nearest;

/// The parameters of a PostgreSQL URL that sqlx supports.
const PARAMETERS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[…]",
];

/// Checks a URL. Errors never show a part that may belong to a password.
pub fn check(url: &str) -> Result<(), String> {
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or("must begin with sqlite:// or postgres://")?;
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let tail = &rest[authority..];
    let query = tail.split_once('?').map_or("", |(_, query)| query);
    // After the host, `@` is allowed only in the value of a parameter.
    let cut_short = tail
        .split_once('@')
        .is_some_and(|(before, _)| !before.split_once('?').is_some_and(|(_, query)| query.contains('=')));
    if cut_short || tail.contains('#') {
        return Err(
            "must have `/`, `?`, `#` and `@` in the user, password and database percent-encoded, as \
                    %2F, %3F, %23 and %40"
                .into(),
        );
    }
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if PARAMETERS.contains(&&*name) || (name.starts_with("options[") && name.ends_with(']')) {
            continue;
        }
        // An unknown name without a similar known one may be a part of a password, so it is not shown.
        return Err(match nearest(&name, PARAMETERS.into_iter()) {
            Some(meant) => format!("has the unknown parameter `{name}`: did you mean `{meant}`?"),
            None => format!("has a parameter that is none of {}", PARAMETERS.join(", ")),
        });
    }
    Ok(())
}

/// Whether a checked PostgreSQL URL has a password.
pub(super) fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| scheme.starts_with("postgres")) else {
        return false;
    };
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = address.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
        || form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found() {
        for (url, found) in [
            ("postgres://ada:hush@db/chat", true),
            ("postgresql:///chat?user=ada&password=hush", true),
            ("postgres://ada@db:5432/chat", false),
            ("postgres://db/chat?sslmode=require", false),
            ("sqlite://a:b@c.db", false),
        ] {
            assert_eq!(has_password(url), found, "{url}");
        }
    }

    #[test]
    fn urls_that_the_driver_reads_whole_are_accepted() {
        for url in [
            "sqlite://a.db",
            "sqlite:a.db?mode=rwc",
            "postgres://db",
            "postgresql://ada:p%23w%2F@[::1]:5432/chat?sslmode=require&options[search_path]=x",
            "postgres:///chat?host=/run/postgresql&user=ada@corp",
            "postgres://ada:a@b@db/chat",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn passwords_are_parsed_whole_and_never_shown() {
        for url in [
            "postgres://ada:12#hush@db/chat",
            "postgres://ada:12/hush@db/chat",
            "postgres://ada:12?hush@db/chat",
            "postgres://ada:x@12/hush@db/chat",
            "postgres://ada:x@db/chat#hush",
            "postgres://ada:12?hush=12@db/chat",
            "mysql://ada:hush@db",
        ] {
            let fault = check(url).unwrap_err();
            assert!(!fault.contains("hush") && !fault.contains("12"), "{url}: {fault}");
        }
    }

    #[test]
    fn mistyped_parameters_are_refused() {
        let fault = check("postgres://db/chat?ssl_mode=require").unwrap_err();
        assert_eq!(fault, "has the unknown parameter `ssl_mode`: did you mean `sslmode`?");
        let fault = check("postgres://db/chat?connect_timeout=3").unwrap_err();
        assert!(fault.starts_with("has a parameter that is none of sslmode, "), "{fault}");
    }
}
