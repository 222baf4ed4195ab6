//! Starts to send traces, as the settings say.

use std::fs;

use anyhow::{Context, anyhow, bail};
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::{self, Config, Secret};
use crate::traces::{self, Tracer};

/// The tracer of a server. It does nothing if there is no endpoint.
///
/// # Errors
/// A setting is not valid.
pub(super) fn start(config: &Config) -> anyhow::Result<Tracer> {
    match settings(&config.traces)? {
        Some(settings) => Tracer::start(&settings).context("the setting `traces.endpoint` is not valid"),
        None => Ok(Tracer::default()),
    }
}

/// The settings of traces. `None`: there are none.
///
/// # Errors
/// A setting is not valid. The error names it.
pub(super) fn settings(config: &config::Traces) -> anyhow::Result<Option<traces::Settings>> {
    let headers = headers(config)?;
    let attributes = config.attributes.iter().map(|text| {
        let (name, value) =
            text.split_once('=').filter(|(name, _)| !name.trim().is_empty()).ok_or_else(|| {
                anyhow!(
                    "the setting `traces.attributes` must have entries such as \"name=value\", has {text:?}"
                )
            })?;
        Ok((decoded(name), decoded(value)))
    });
    let attributes = attributes.collect::<anyhow::Result<Vec<_>>>()?;
    let Some(endpoint) = &config.endpoint else { return Ok(None) };
    let endpoint: Uri = endpoint
        .parse()
        .map_err(|error| anyhow!("the setting `traces.endpoint` is not a URL: {error}, got {endpoint:?}"))?;
    Ok(Some(traces::Settings {
        endpoint,
        headers,
        timeout: config.timeout,
        sample_ratio: config.sample_ratio,
        accepts_parents: config.accept_parents,
        service_name: config.service_name.clone(),
        attributes,
    }))
}

/// The headers of the setting or of the file.
fn headers(config: &config::Traces) -> anyhow::Result<HeaderMap> {
    let (name, text) = match (&config.headers, &config.headers_file) {
        (Some(headers), _) => ("headers", Secret::expose(headers).to_owned()),
        (None, Some(path)) => {
            let context = || format!("cannot read `traces.headers_file`, {}", path.display());
            ("headers_file", fs::read_to_string(path).with_context(context)?)
        }
        (None, None) => return Ok(HeaderMap::new()),
    };
    let mut headers = HeaderMap::new();
    for entry in text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()) {
        // The text may be a key, so no error quotes it.
        let Some((header, value)) = entry.split_once('=') else {
            bail!("the setting `traces.{name}` must have entries such as \"name=value\"");
        };
        let header = HeaderName::try_from(decoded(header));
        let value = HeaderValue::try_from(decoded(value));
        let (Ok(header), Ok(mut value)) = (header, value) else {
            bail!("the setting `traces.{name}` has a header that is not valid in HTTP");
        };
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

/// A text without percent-encoding. A `+` is a plus sign.
fn decoded(text: &str) -> String {
    let pair = format!("x={}", text.trim().replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_with(change: impl FnOnce(&mut config::Traces)) -> anyhow::Result<Option<traces::Settings>> {
        let mut config = Config::default().traces;
        config.endpoint = Some("http://127.0.0.1:4318/v1/traces".into());
        change(&mut config);
        settings(&config)
    }

    fn with_headers(text: &str) -> anyhow::Result<HeaderMap> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let settings = settings_with(|config| config.headers_file = Some(file.path().to_owned()))?;
        Ok(settings.unwrap().headers)
    }

    #[test]
    fn headers_are_decoded_and_never_quoted() {
        let headers = with_headers("authorization=Bearer%20a+b=&c, x-team = chat\nx-other=1\n").unwrap();
        assert_eq!(headers["authorization"], "Bearer a+b=&c");
        assert_eq!(
            (&headers["x-team"], &headers["x-other"]),
            (&"chat".parse().unwrap(), &"1".parse().unwrap())
        );
        for wrong in ["SECRET", "a b=SECRET", "a=SECRET%0A"] {
            let error = format!("{:#}", with_headers(wrong).unwrap_err());
            assert!(error.contains("`traces.headers_file`") && !error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn attributes_have_a_name_and_a_value() {
        let attributes = |text: &str| settings_with(|config| config.attributes = vec![text.to_owned()]);
        let settings = attributes("deployment.environment.name=production%2C%20eu").unwrap().unwrap();
        let expected = ("deployment.environment.name".to_owned(), "production, eu".to_owned());
        assert_eq!(settings.attributes, [expected]);
        assert!(attributes("production").is_err() && attributes("=production").is_err());
        assert!(settings_with(|config| config.endpoint = None).unwrap().is_none());
        assert!(settings_with(|config| config.endpoint = Some("http://a b/".into())).is_err());
    }
}
