use std::path::Path;

use super::*;

fn load_with(
    file: Option<&Path>,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Config, String> {
    let pairs = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let sources = Sources {
        file,
        environment: environment.iter().map(pairs).collect(),
        flags: flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    };
    load(sources).map_err(|error| error.to_string())
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn the_default_file_is_the_defaults() {
    let config = load_with(None, &[], &[]).unwrap();
    assert_eq!(config.mode, Mode::Development);
    assert_eq!(config.database_url(), "sqlite://data/scrollback.db");
    assert_eq!(config.server.execution_timeout, Duration::from_secs(10));
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn later_sources_win() {
    let file =
        file("mode = \"production\"\n[server]\nlisten = \"127.0.0.1:1\"\n[database]\nmax_connections = 3\n");
    let environment = [
        ("SCROLLBACK_SERVER_LISTEN", "127.0.0.1:2"),
        ("SCROLLBACK_DATABASE_URL", "sqlite://env.db"),
        ("SCROLLBACK_SERVER_CORS_ORIGINS", "https://a.example, https://b.example"),
        ("SCROLLBACK_DATABASE_MIGRATE", "false"),
        ("HOME", "/"),
    ];
    let config = load_with(Some(file.path()), &environment, &[("database.url", "sqlite://flag.db")]).unwrap();
    assert_eq!(config.mode, Mode::Production);
    assert_eq!(config.database.max_connections, 3);
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.database_url(), "sqlite://flag.db");
    assert_eq!(config.server.cors_origins, ["https://a.example", "https://b.example"]);
    assert!(!config.database.migrate);
}

#[test]
fn a_statement_may_not_outlive_its_operation() {
    let rule = "must be shorter than `server.execution_timeout`, and not 0";
    for environment in [
        [("SCROLLBACK_DATABASE_STATEMENT_TIMEOUT", "10s")],
        [("SCROLLBACK_DATABASE_STATEMENT_TIMEOUT", "0s")],
        [("SCROLLBACK_SERVER_EXECUTION_TIMEOUT", "5s")],
    ] {
        let refused = load_with(None, &environment, &[]).unwrap_err();
        assert!(refused.contains("`database.statement_timeout`") && refused.contains(rule), "{refused}");
    }
}

#[test]
fn one_answer_must_fit_in_memory() {
    for (environment, setting, rule) in [
        (("SCROLLBACK_SERVER_MEMORY_PER_OWNER", "67108863"), "server.memory_per_owner", "4 times"),
        (("SCROLLBACK_LIMITS_ANSWER_BYTES", "33554433"), "server.memory_per_owner", "`limits.answer_bytes`"),
        (("SCROLLBACK_SERVER_MEMORY", "134217727"), "server.memory", "`server.memory_per_owner`"),
        (("SCROLLBACK_LIMITS_ANSWER_BYTES", "0"), "limits.answer_bytes", "at least 1"),
    ] {
        let refused = load_with(None, &[environment], &[]).unwrap_err();
        assert!(
            refused.starts_with(&format!("the setting `{setting}`")) && refused.contains(rule),
            "{refused}"
        );
    }
    assert!(load_with(None, &[("SCROLLBACK_SERVER_MEMORY_PER_OWNER", "67108864")], &[]).is_ok());
}

#[test]
fn row_level_security_needs_postgresql() {
    let set = |value, url| {
        let environment =
            [("SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY", value), ("SCROLLBACK_DATABASE_URL", url)];
        load_with(None, &environment, &[]).map(|config| config.database.row_level_security)
    };
    let url = "postgres://db/scrollback";
    assert_eq!(set("off", "").unwrap(), RowLevelSecurity::Off);
    assert_eq!(set("ready", url).unwrap(), RowLevelSecurity::Ready);
    assert_eq!(set("on", url).unwrap(), RowLevelSecurity::On);
    for (value, url, rule) in [
        ("on", "", "requires PostgreSQL"),
        ("ready", "sqlite://a.db", "requires PostgreSQL"),
        ("true", url, "`off`"),
    ] {
        let refused = set(value, url).unwrap_err();
        let name = "the setting `database.row_level_security` (from SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY)";
        assert!(refused.starts_with(name) && refused.contains(rule), "{refused}");
    }
}

#[test]
fn a_wrong_value_is_refused_by_name_and_origin() {
    let error = |environment: &[(&str, &str)]| load_with(None, environment, &[]).unwrap_err();
    let listen = error(&[("SCROLLBACK_SERVER_LISTEN", "here")]);
    assert!(
        listen.starts_with("the setting `server.listen` (from SCROLLBACK_SERVER_LISTEN) is not valid: "),
        "{listen}"
    );
    let number = error(&[("SCROLLBACK_DATABASE_MAX_CONNECTIONS", "many")]);
    assert!(number.starts_with("the setting `database.max_connections` (from "), "{number}");
    let zero = error(&[("SCROLLBACK_DATABASE_MAX_CONNECTIONS", "0")]);
    assert!(zero.ends_with("must be at least 1"), "{zero}");
    let nesting = error(&[("SCROLLBACK_LIMITS_NESTING", "65")]);
    assert!(nesting.ends_with("must be at most 64"), "{nesting}");
    let duration = error(&[("SCROLLBACK_FEED_POLL", "soon")]);
    assert!(duration.ends_with("must be a duration such as \"10s\""), "{duration}");
    let mode = load_with(None, &[], &[("mode", "test")]).unwrap_err();
    assert!(mode.starts_with("the setting `mode` (from the flag for mode) is not valid: "), "{mode}");
}

#[test]
fn unknown_keys_in_the_file_are_refused_with_the_nearest_name() {
    for (text, name, hint) in [
        ("[server]\nlissten = \"127.0.0.1:1\"\n", "server.lissten", "did you mean `server.listen`?"),
        ("listen = \"127.0.0.1:1\"\n", "listen", "did you mean `server.listen`?"),
        ("data-dir = \"x\"\n", "data-dir", "did you mean `data_dir`?"),
        ("[databse]\nurl = \"\"\n", "databse", "did you mean `database`?"),
        ("[auth]\nurl = \"https://a\"\n", "auth.url", "did you mean `auth.jwks_url`?"),
        ("[tls]\ncertificate = \"x\"\n", "tls", "`scrollback config` prints all settings"),
        (
            "[[auth.issuers]]\nissuer = \"a\"\n[[auth.issuers]]\nissuer = \"b\"\njwt_secrt = \"hush\"\n",
            "auth.issuers[1].jwt_secrt",
            "did you mean `auth.issuers[1].jwt_secret`?",
        ),
    ] {
        let file = file(text);
        let expected = format!("`{name}` (from {}) is not a setting: {hint}", file.path().display());
        assert_eq!(load_with(Some(file.path()), &[], &[]).unwrap_err(), expected);
    }
}

#[test]
fn unknown_variables_are_refused_with_the_nearest_name() {
    for (variable, hint) in [
        ("SCROLLBACK_DATABSE_URL", "did you mean `SCROLLBACK_DATABASE_URL`?"),
        ("SCROLLBACK_DATABASE__URL", "did you mean `SCROLLBACK_DATABASE_URL`?"),
        ("SCROLLBACK_LISTEN", "did you mean `SCROLLBACK_SERVER_LISTEN`?"),
        ("SCROLLBACK_JWT_SECRET", "did you mean `SCROLLBACK_AUTH_JWT_SECRET`?"),
        ("SCROLLBACK_CONFG", "did you mean `SCROLLBACK_CONFIG`?"),
        ("scrollback_mode", "did you mean `SCROLLBACK_MODE`?"),
        ("SCROLBACK_MODE", "did you mean `SCROLLBACK_MODE`?"),
        ("SCROLLBACK_PORT", "`scrollback config` prints all settings"),
        ("SCROLLBACK_", "`scrollback config` prints all settings"),
        ("SCROLLBACK_AUTH_ISSUERS", "`auth.issuers` can be set only in the configuration file"),
        ("SCROLLBACK_AUTH_ISSUERS_0_ISSUER", "`auth.issuers` can be set only in the configuration file"),
    ] {
        let error = load_with(None, &[(variable, "hush")], &[]).unwrap_err();
        assert_eq!(error, format!("`{variable}` (from the environment) is not a setting: {hint}"));
    }
    let both = load_with(None, &[("SCROLLBACK_MOD", ""), ("SCROLLBACK_DATADIR", "")], &[]).unwrap_err();
    assert!(both.contains("`SCROLLBACK_MODE`?; ") && both.ends_with("`SCROLLBACK_DATA_DIR`?"), "{both}");
}

#[test]
fn unrelated_variables_are_ignored() {
    let environment = [
        ("SCROLLBACK_CONFIG", "scrollback.toml"),
        ("SCROLLBACK_GRAPHIQL", "off"),
        // Of Kubernetes, beside services called `scrollback` and `scrollback-admin`.
        ("SCROLLBACK_SERVICE_HOST", "10.0.0.1"),
        ("SCROLLBACK_SERVICE_PORT", "8000"),
        ("SCROLLBACK_SERVICE_PORT_HTTP", "8000"),
        ("SCROLLBACK_PORT", "tcp://10.0.0.1:8000"),
        ("SCROLLBACK_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("SCROLLBACK_PORT_8000_TCP_PROTO", "tcp"),
        ("SCROLLBACK_PORT_8000_TCP_PORT", "8000"),
        ("SCROLLBACK_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("SCROLLBACK_ADMIN_PORT_9000_TCP_ADDR", "10.0.0.1"),
        ("SCROLL_MODE", "smooth"),
        ("MODE", "x"),
    ];
    load_with(None, &environment, &[]).unwrap();
}

#[test]
fn every_setting_has_a_variable_of_its_own() {
    let table: toml::Table = toml::from_str(DEFAULT_FILE).unwrap();
    let settings = names::leaves(&table, "");
    let variables: std::collections::BTreeSet<_> =
        settings.iter().map(|setting| names::variable(setting)).collect();
    assert_eq!(variables.len(), settings.len());
    for setting in settings.iter().filter(|setting| !names::is_table_list(setting)) {
        // Nor is one taken for a variable of Kubernetes.
        let cut = names::variable(setting);
        let cut = &cut[..cut.len() - 1];
        assert!(load_with(None, &[(cut, "10.0.0.1")], &[]).is_err(), "{cut}");
    }
}

#[test]
fn the_names_of_an_issuers_settings_are_those_that_it_has() {
    let issuer: String = names::ISSUER.map(|name| format!("{name} = \"x\"\n")).concat();
    let issuer = issuer.replace("jwks_url = \"x\"", "jwks_url = \"https://x\"");
    let all = file(&format!("[[auth.issuers]]\n{issuer}"));
    let config = load_with(Some(all.path()), &[], &[]).unwrap();
    let shown = format!("{:?}", config.auth.issuers[0]);
    assert_eq!(shown.matches("Some(").count() + 1, names::ISSUER.len(), "{shown}");
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let broken = OsString::from_vec(b"a\xff".into());
    let error = environment([("SCROLLBACK_DATABASE_URL".into(), broken.clone())]).unwrap_err().to_string();
    assert_eq!(error, "the environment variable SCROLLBACK_DATABASE_URL is not UTF-8");
    assert_eq!(environment([("LS_COLORS".into(), broken)]).unwrap(), []);
}

#[test]
fn a_file_that_is_missing_or_not_toml_is_refused() {
    assert!(
        load_with(Some(Path::new("/nowhere/scrollback.toml")), &[], &[]).unwrap_err().contains("/nowhere/")
    );
    assert!(load_with(Some(file("mode =").path()), &[], &[]).unwrap_err().contains("is not TOML"));
}

#[test]
fn debug_output_hides_secrets() {
    let environment = [
        ("SCROLLBACK_AUTH_JWT_SECRET", "hush"),
        ("SCROLLBACK_DATABASE_URL", "postgres://ada:hush@localhost/db"),
    ];
    let config = load_with(None, &environment, &[]).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    assert_eq!(config.auth.jwt_secret.unwrap().expose(), "hush");
}

#[test]
fn errors_hide_secrets() {
    for (text, environment) in [
        ("[auth]\njwt_secret = 4711\n", None),
        ("[auth]\njwt_secret = hush4711\n", None),
        ("[auth]\njwt_secret = \"4711\njwt_secret_file = \"\"\n", None),
        ("[auth]\nissuers = [\"4711\"]\n", None),
        ("[[auth.issuers]]\nissuer = \"a\"\njwt_secret = 4711\n", None),
        ("[database]\nurl = 4711\n", None),
        ("[feed]\nsignals = 4711\n", None),
        ("", Some(("SCROLLBACK_DATABASE_URL", "postgres://ada:4711#hush@db/chat"))),
        ("", Some(("SCROLLBACK_AUTH_ISSUERS", "4711"))),
    ] {
        let file = file(text);
        let environment: Vec<_> = environment.into_iter().collect();
        let error = load_with(Some(file.path()), &environment, &[]).unwrap_err();
        let error = error.replace(&file.path().display().to_string(), "");
        assert!(!error.contains("4711") && !error.contains("hush"), "{error}");
    }
}

#[test]
fn the_data_folder_may_not_be_a_file() {
    let file = file("");
    let path = file.path().to_str().unwrap();
    let error = load_with(None, &[("SCROLLBACK_DATA_DIR", path)], &[]).unwrap_err();
    let expected = "the setting `data_dir` (from SCROLLBACK_DATA_DIR) is not valid: is a file, not a folder";
    assert_eq!(error, expected);
    // Nothing is kept there then.
    let elsewhere = [
        ("SCROLLBACK_DATA_DIR", path),
        ("SCROLLBACK_MODE", "production"),
        ("SCROLLBACK_DATABASE_URL", "postgres://db"),
    ];
    load_with(None, &elsewhere, &[]).unwrap();
}

#[test]
fn limits_must_be_positive() {
    let table: toml::Table = toml::from_str(DEFAULT_FILE).unwrap();
    let limits = table["limits"].as_table().unwrap();
    assert_eq!(limits.len(), 17);
    for name in limits.keys() {
        let variable = format!("SCROLLBACK_LIMITS_{}", name.to_uppercase());
        let error = load_with(None, &[(&variable, "0")], &[]).unwrap_err();
        let rule = match name.as_str() {
            "message_bytes" => "must be 1024 to 16777216, got 0",
            "metadata_bytes" => "must be 1024 to 1048576, got 0",
            _ => "must be at least 1",
        };
        let expected = format!("the setting `limits.{name}` (from {variable}) is not valid: {rule}");
        assert_eq!(error, expected);
    }
}

#[test]
fn server_limits_must_be_positive() {
    let table: toml::Table = toml::from_str(DEFAULT_FILE).unwrap();
    let mut checked = 0;
    for (name, value) in table["server"].as_table().unwrap() {
        let (zero, rule) = match value {
            toml::Value::Integer(_) if name == "header_limit" => ("8191", "must be at least 8192"),
            // None is any number.
            toml::Value::Integer(_) if name == "connections_per_address" => continue,
            toml::Value::Integer(_) => ("0", "must be at least 1"),
            // Nobody need be waited for at the end.
            toml::Value::String(_) if ["drain", "shutdown_timeout"].contains(&name.as_str()) => continue,
            toml::Value::String(text) if humantime::parse_duration(text).is_ok() => {
                ("0s", "must be longer than 0s")
            }
            _ => continue,
        };
        let variable = format!("SCROLLBACK_SERVER_{}", name.to_uppercase());
        let error = load_with(None, &[(&variable, zero)], &[]).unwrap_err();
        assert_eq!(error, format!("the setting `server.{name}` (from {variable}) is not valid: {rule}"));
        checked += 1;
    }
    assert_eq!(checked, 19);
    let forever = load_with(None, &[("SCROLLBACK_SERVER_KEEP_ALIVE", "10years")], &[]).unwrap_err();
    assert!(forever.ends_with("must be at most 365days"), "{forever}");
    let admin = load_with(None, &[("SCROLLBACK_SERVER_ADMIN_LISTEN", "here")], &[]).unwrap_err();
    assert!(admin.starts_with("the setting `server.admin_listen` (from "), "{admin}");
}

#[test]
fn configuration_files_with_secrets_are_detected() {
    let origin = |text: &str, environment: &[(&str, &str)]| {
        let file = file(text);
        let config = load_with(Some(file.path()), environment, &[]).unwrap();
        config.file_with_secrets.map(|path| path == file.path())
    };
    let secret = "[auth]\njwt_secret = \"hush\"\n";
    assert_eq!(origin(secret, &[]), Some(true));
    assert_eq!(origin("[database]\nurl = \"postgres://ada:hush@db/chat\"\n", &[]), Some(true));
    assert_eq!(origin("[[auth.issuers]]\nissuer = \"a\"\njwt_secret = \"hush\"\n", &[]), Some(true));
    assert_eq!(origin("[database]\nurl = \"postgres://ada@db/chat\"\n", &[]), None);
    assert_eq!(origin("mode = \"development\"\n", &[("SCROLLBACK_AUTH_JWT_SECRET", "hush")]), None);
    assert_eq!(load_with(None, &[], &[("auth.jwt_secret", "hush")]).unwrap().file_with_secrets, None);
}
