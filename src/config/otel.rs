//! The environment variables of OpenTelemetry, as settings under `[traces]`
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use super::error::ConfigError;

/// A setting, its value, and the variable that sets it.
type Setting = (&'static str, String, String);

/// The settings that the variables make. Empty variables count as missing, as the specification says.
///
/// # Errors
/// A variable asks for what this program cannot do.
pub(super) fn settings(environment: &[(String, String)]) -> Result<Vec<Setting>, ConfigError> {
    let get = |name: &str| {
        let found = environment.iter().find(|(variable, value)| variable == name && !value.trim().is_empty());
        found.map(|(variable, value)| (variable.clone(), value.trim().to_owned()))
    };
    let mut settings = Vec::new();
    let mut add = |setting, value: String, variable| settings.push((setting, value, variable));
    let is_off = get("OTEL_SDK_DISABLED").is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
        || get("OTEL_TRACES_EXPORTER").is_some_and(|(_, value)| value == "none");
    if is_off {
        return Ok(settings);
    }
    let of_traces = |name: &str| {
        let signal = name.replace("OTLP_", "OTLP_TRACES_");
        get(&signal).or_else(|| get(name))
    };
    let endpoint = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| {
        let (variable, base) = get("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        Some((variable, format!("{}/v1/traces", base.trim_end_matches('/'))))
    });
    if let Some((variable, endpoint)) = endpoint {
        if let Some((variable, protocol)) = of_traces("OTEL_EXPORTER_OTLP_PROTOCOL")
            && protocol != "http/protobuf"
        {
            let fault = format!("must be http/protobuf, got {protocol:?}");
            return Err(wrong("traces.endpoint", variable, fault));
        }
        add("traces.endpoint", endpoint, variable);
    }
    if let Some((variable, headers)) = of_traces("OTEL_EXPORTER_OTLP_HEADERS") {
        add("traces.headers", headers, variable);
    }
    if let Some((variable, millis)) = of_traces("OTEL_EXPORTER_OTLP_TIMEOUT") {
        add("traces.timeout", format!("{millis}ms"), variable);
    }
    if let Some((variable, name)) = get("OTEL_SERVICE_NAME") {
        add("traces.service_name", name, variable);
    }
    if let Some((variable, attributes)) = get("OTEL_RESOURCE_ATTRIBUTES") {
        add("traces.attributes", attributes, variable);
    }
    if let Some((variable, sampler)) = get("OTEL_TRACES_SAMPLER") {
        let (name, follows_parents) = match sampler.strip_prefix("parentbased_") {
            Some(name) => (name, true),
            None => (sampler.as_str(), false),
        };
        let ratio = match name {
            "always_on" => "1".to_owned(),
            "always_off" => "0".to_owned(),
            "traceidratio" => {
                get("OTEL_TRACES_SAMPLER_ARG").map_or_else(|| "1".to_owned(), |(_, ratio)| ratio)
            }
            _ => {
                let known = "must be always_on, always_off or traceidratio, also with parentbased_ before it";
                return Err(wrong("traces.sample_ratio", variable, format!("{known}, got {sampler:?}")));
            }
        };
        add("traces.sample_ratio", ratio, variable.clone());
        add("traces.accept_parents", follows_parents.to_string(), variable);
    }
    Ok(settings)
}

fn wrong(setting: &str, origin: String, fault: String) -> ConfigError {
    ConfigError::Wrong { setting: setting.to_owned(), origin, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(variables: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let environment: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = settings(&environment).unwrap();
        settings.into_iter().map(|(setting, value, _)| (setting, value)).collect()
    }

    #[test]
    fn the_variables_of_traces_override_those_of_all_signals() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let of = |setting, value: &str| (setting, value.to_owned());
        assert_eq!(settings_of(&[base]), [of("traces.endpoint", "http://collector:4318/v1/traces")]);
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:4318/x");
        assert_eq!(settings_of(&[base, traces]), [of("traces.endpoint", "http://other:4318/x")]);
        assert_eq!(settings_of(&[base, ("OTEL_SDK_DISABLED", "TRUE")]), []);
        assert_eq!(settings_of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), []);
        let sampler =
            [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
        let expected = [of("traces.sample_ratio", "0.25"), of("traces.accept_parents", "true")];
        assert_eq!(settings_of(&sampler), expected);
        let expected = [of("traces.sample_ratio", "0"), of("traces.accept_parents", "false")];
        assert_eq!(settings_of(&[("OTEL_TRACES_SAMPLER", "always_off")]), expected);
    }

    #[test]
    fn what_is_not_supported_is_rejected() {
        let environment = [("OTEL_TRACES_SAMPLER".to_owned(), "jaeger_remote".to_owned())];
        assert!(settings(&environment).unwrap_err().to_string().contains("jaeger_remote"));
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "http://collector:4317".to_owned()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL".to_owned(), "grpc".to_owned()),
        ];
        assert!(settings(&environment).unwrap_err().to_string().contains("http/protobuf"));
    }
}
