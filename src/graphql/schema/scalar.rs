//! Scalars of the API.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, InputValueError, InputValueResult, MaybeUndefined, OutputType, Positioned, Scalar,
    ScalarType, ServerResult, Value,
};

use crate::graphql::execution::json_writer::write_value;
use crate::model::{self, Invalid, MergePatch, MetadataChange};

/// A time in the API.
pub(in crate::graphql) struct DateTime(pub(in crate::graphql) model::Timestamp);

/// An RFC 3339 time with offset. The server returns UTC with microseconds, for example
/// 2026-11-21T09:30:00.123456Z.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        Ok(Self(model::Timestamp::parse("DateTime", text).map_err(|error| error.to_string())?))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A whole number that can exceed the 32 bits of `Int`: a `Float`, which JSON shows with all its digits.
pub(in crate::graphql) struct WholeFloat(pub(in crate::graphql) i64);

impl OutputType for WholeFloat {
    fn type_name() -> Cow<'static, str> {
        <f64 as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <f64 as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::from(self.0))
    }
}

/// JSON in the API, as compact text that is written unchanged (see
/// [`crate::graphql::execution::json_writer`]).
pub(in crate::graphql) struct Json(String);

impl Json {
    /// The given metadata, or the empty object.
    pub(in crate::graphql) fn metadata(given: Option<Self>, most: usize) -> Result<model::Json, Invalid> {
        given.map_or_else(|| Ok(model::Json::empty_object()), |json| json.check("metadata", most))
    }

    /// A change of the metadata. Null sets the empty object.
    pub(in crate::graphql) fn patch(
        given: MaybeUndefined<Self>,
        most: usize,
    ) -> Result<Option<model::Json>, Invalid> {
        match given {
            MaybeUndefined::Undefined => Ok(None),
            MaybeUndefined::Null => Ok(Some(model::Json::empty_object())),
            MaybeUndefined::Value(json) => json.check("metadata", most).map(Some),
        }
    }

    /// The change that `metadata` or `metadataPatch` asks for. Metadata may have `most` bytes.
    pub(in crate::graphql) fn metadata_change(
        metadata: MaybeUndefined<Self>,
        patch: Option<Self>,
        most: usize,
    ) -> Result<Option<MetadataChange>, Invalid> {
        const PATCH: &str = "metadataPatch";
        let set = Self::patch(metadata, most)?.map(MetadataChange::Set);
        let Some(patch) = patch else { return Ok(set) };
        if set.is_some() {
            return Err(Invalid::new(PATCH, "must not be given together with metadata"));
        }
        Ok(Some(MetadataChange::Merge(MergePatch::new(PATCH, patch.check(PATCH, most)?, most)?)))
    }

    /// Checks the value, which may have so many bytes. Errors name `argument`.
    pub(in crate::graphql) fn check(self, argument: &str, most: usize) -> Result<model::Json, Invalid> {
        model::Json::within(argument, self.0, most)
    }
}

impl From<&model::Json> for Json {
    fn from(json: &model::Json) -> Self {
        Self(json.as_str().to_owned())
    }
}

impl From<model::Json> for Json {
    fn from(json: model::Json) -> Self {
        Self(json.into_string())
    }
}

/// Any JSON value. The server returns it with its keys in the same order and its numbers digit for digit; of
/// equal keys in an object it keeps the last value. At most 64 KiB (`limits.metadata_bytes`); in the parts of a message,
/// as much as all parts may have. At most 200 levels deep. An integer has at most 4300 digits.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    /// Accepts any value: only [`Json::check`] knows the name of the argument for an error.
    fn parse(value: Value) -> InputValueResult<Self> {
        let mut text = Vec::new();
        write_value(&mut text, &value, usize::MAX);
        Ok(Self(String::from_utf8(text).map_err(|error| error.to_string())?))
    }

    /// The text itself: as values it would take many times the memory.
    fn to_value(&self) -> Value {
        Value::Binary(self.0.clone().into())
    }
}
