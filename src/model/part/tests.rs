use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Part {
    Part::text(text.into())
}

fn reasoning(text: &str) -> Part {
    Part::reasoning(text.into())
}

fn json(text: &str) -> Json {
    Json::within("data", text.into(), MAX_MESSAGE_BYTES).unwrap()
}

fn data(text: &str) -> Part {
    Part::Data { name: "data-weather".into(), data: json(text), extra: None }
}

fn file(media_type: &str, filename: &str, url: &str) -> Part {
    Part::File {
        media_type: media_type.into(),
        filename: Some(filename.into()),
        url: url.into(),
        extra: None,
    }
}

fn tool(tool_call_id: &str, tool_name: &str, error_text: &str) -> Part {
    Part::Tool {
        tool_call_id: tool_call_id.into(),
        tool_name: tool_name.into(),
        state: ToolState::OutputError,
        input: None,
        output: None,
        error_text: Some(error_text.into()),
        extra: None,
    }
}

fn page(source_id: &str, url: &str, title: &str) -> Part {
    Part::Source(Source::Url {
        source_id: source_id.into(),
        url: url.into(),
        title: Some(title.into()),
        extra: None,
    })
}

fn document(source_id: &str, media_type: &str, title: &str, filename: &str) -> Part {
    Part::Source(Source::Document {
        source_id: source_id.into(),
        media_type: media_type.into(),
        title: Some(title.into()),
        filename: Some(filename.into()),
        extra: None,
    })
}

fn parts(parts: Vec<Part>) -> Result<Parts, String> {
    Parts::new("parts", parts).map_err(|invalid| invalid.to_string())
}

/// A URL of `bytes` bytes that begins with `scheme`.
fn url(scheme: &str, bytes: usize) -> String {
    format!("{scheme}{}", "x".repeat(bytes - scheme.len()))
}

#[test]
fn valid_parts_are_accepted() {
    let long = "x".repeat(MAX_NAME_BYTES);
    let far = url("https://", MAX_URL_BYTES);
    let fitting = [
        vec![text("x")],
        vec![text("x"); MAX_PARTS],
        vec![text(""), reasoning("so")],
        vec![text(""), data("{}")],
        vec![file("image/png", "", "/files/1")],
        vec![file(&long, &long, &far)],
        vec![file("image/png", "dot.png", &url("DATA:", 4 * MAX_URL_BYTES))],
        vec![file("image/png", "x", "é")],
        vec![tool(&"x".repeat(MAX_URL_BYTES), &long, "")],
        vec![tool("call", "search", &"x".repeat(MAX_URL_BYTES + 1))],
        vec![page(&far, &far, &long)],
        vec![page("1", "x", "")],
        vec![document(&far, &long, &long, &long)],
        vec![document("1", "x", "", "")],
        vec![data("false")],
    ];
    for (at, fitting) in fitting.into_iter().enumerate() {
        assert!(parts(fitting).is_ok(), "{at}");
    }
}

#[test]
fn invalid_parts_are_rejected_with_the_argument_and_the_rule() {
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    let far = url("https://", MAX_URL_BYTES + 1);
    let nul = "must not contain NUL (U+0000)";
    let name = "must be at most 1024 bytes of UTF-8, has 1025";
    let place = "must be at most 8192 bytes of UTF-8, has 8193";
    let empty = "must not be empty";
    let faults = [
        (text("\0"), "text.text", nul),
        (reasoning("\0"), "reasoning.text", nul),
        (file("", "x", "/1"), "file.mediaType", empty),
        (file(&long, "x", "/1"), "file.mediaType", name),
        (file("a/b\0", "x", "/1"), "file.mediaType", nul),
        (file("a/b", &long, "/1"), "file.filename", name),
        (file("a/b", "\0", "/1"), "file.filename", nul),
        (file("a/b", "x", ""), "file.url", empty),
        (file("a/b", "x", &far), "file.url", place),
        (file("a/b", "x", "\0"), "file.url", nul),
        (tool("", "x", "x"), "tool.toolCallId", empty),
        (tool(&far, "x", "x"), "tool.toolCallId", place),
        (tool("x", "", "x"), "tool.toolName", empty),
        (tool("x", &long, "x"), "tool.toolName", name),
        (tool("x", "x", "\0"), "tool.errorText", nul),
        (page("", "x", "x"), "sourceUrl.sourceId", empty),
        (page(&far, "x", "x"), "sourceUrl.sourceId", place),
        (page("x", "", "x"), "sourceUrl.url", empty),
        (page("x", &far, "x"), "sourceUrl.url", place),
        (page("x", "\0", "x"), "sourceUrl.url", nul),
        (page("x", "x", &long), "sourceUrl.title", name),
        (document("", "x", "x", "x"), "sourceDocument.sourceId", empty),
        (document(&far, "x", "x", "x"), "sourceDocument.sourceId", place),
        (document("x", "", "x", "x"), "sourceDocument.mediaType", empty),
        (document("x", &long, "x", "x"), "sourceDocument.mediaType", name),
        (document("x", "x", &long, "x"), "sourceDocument.title", name),
        (document("x", "x", "x", &long), "sourceDocument.filename", name),
        (document("x", "x", "x", "\0"), "sourceDocument.filename", nul),
        (Part::Data { name: String::new(), data: json("1"), extra: None }, "data.name", empty),
        (data("null"), "data.data", "must not be null"),
    ];
    for (part, argument, rule) in faults {
        let error = parts(vec![text("x"), part]).unwrap_err();
        assert_eq!(error, format!("`parts[1].{argument}` {rule}"));
    }
}

#[test]
fn empty_and_too_large_parts_are_rejected() {
    assert_eq!(parts(vec![]).unwrap_err(), "`parts` must not be empty");
    assert_eq!(parts(vec![text(""), reasoning("")]).unwrap_err(), "`parts` must not be empty");
    assert_eq!(
        parts(vec![text("x"); MAX_PARTS + 1]).unwrap_err(),
        "`parts` must have at most 1000 parts, has 1001"
    );
}

#[test]
fn the_whole_json_is_bounded() {
    let around = parts(vec![text("x"), data("\"\"")]).unwrap().to_json().len();
    let filled = |bytes: usize| vec![text("x"), data(&format!("\"{}\"", "x".repeat(bytes - around)))];
    assert_eq!(parts(filled(MAX_MESSAGE_BYTES)).unwrap().to_json().len(), MAX_MESSAGE_BYTES);
    assert_eq!(
        parts(filled(MAX_MESSAGE_BYTES + 1)).unwrap_err(),
        "`parts` must have at most 16777216 bytes of JSON in total, has 16777217"
    );
}

#[test]
fn the_content_is_the_texts_with_blank_lines_between() {
    let content = |list| parts(list).unwrap().content();
    assert_eq!(
        content(vec![text("one"), reasoning("no"), data("1"), text(""), text("two\n")]),
        "one\n\ntwo\n"
    );
    assert_eq!(content(vec![data("1")]), "");
}

#[test]
fn the_json_of_the_database_stays_as_it_is() {
    let list = vec![
        text("é\n"),
        reasoning("so"),
        file("image/png", "dot.png", "/files/1"),
        Part::Tool {
            tool_call_id: "call-1".into(),
            tool_name: "search".into(),
            state: ToolState::OutputAvailable,
            input: Some(json(r#"{"z":1.50,"a":1e3}"#)),
            output: Some(json("null")),
            error_text: None,
            extra: None,
        },
        page("1", "https://example.org/", "X"),
        document("2", "application/pdf", "X", "x.pdf"),
        data("[]"),
    ];
    let expected = concat!(
        r#"[{"text":{"text":"é\n"}},{"reasoning":{"text":"so"}},"#,
        r#"{"file":{"mediaType":"image/png","filename":"dot.png","url":"/files/1"}},"#,
        r#"{"tool":{"toolCallId":"call-1","toolName":"search","state":"outputAvailable","#,
        r#""input":{"z":1.50,"a":1e3},"output":null}},"#,
        r#"{"source":{"sourceId":"1","url":"https://example.org/","title":"X"}},"#,
        r#"{"source":{"sourceId":"2","mediaType":"application/pdf","title":"X","filename":"x.pdf"}},"#,
        r#"{"data":{"name":"data-weather","data":[]}}]"#,
    );
    let list = parts(list).unwrap();
    assert_eq!(list.to_json(), expected);
    assert_eq!(Parts::from_json(expected), Some(list));
    for foreign in ["", "{}", "[{}]", r#"[{"poem":{}}]"#, r#"[{"file":{"url":"x"}}]"#] {
        assert_eq!(Parts::from_json(foreign), None, "{foreign}");
    }
}

/// Before there were two kinds of sources, the URL was optional, could be empty, and there was no media type.
#[test]
fn sources_stored_before_there_were_two_kinds_are_read() {
    let stored = concat!(
        r#"[{"source":{"sourceId":"1","url":"https://example.org/","title":"X"}},{"source":{"sourceId":"2","url":""}},"#,
        r#"{"source":{"sourceId":"3","title":"Y"}},{"source":{"sourceId":"4"}}]"#,
    );
    let unknown = |source_id: &str, title: Option<&str>| {
        Part::Source(Source::Document {
            source_id: source_id.into(),
            media_type: "application/octet-stream".into(),
            title: title.map(str::to_owned),
            filename: None,
            extra: None,
        })
    };
    let expected = vec![
        page("1", "https://example.org/", "X"),
        Part::Source(Source::Url { source_id: "2".into(), url: String::new(), title: None, extra: None }),
        unknown("3", Some("Y")),
        unknown("4", None),
    ];
    assert_eq!(Parts::from_json(stored).map(Parts::into_vec), Some(expected));
    assert_eq!(Parts::from_json(r#"[{"source":{"url":"x"}}]"#), None);
}

#[test]
fn debug_output_hides_texts() {
    let list = parts(vec![text("my secret"), data("\"my secret\"")]).unwrap();
    assert_eq!(format!("{list:?} {:?}", list.as_slice()), "Parts(2) [text, data]");
}

/// JSON texts whose keys are in no order and whose numbers have forms of their own.
fn some_json() -> impl Strategy<Value = Json> {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?(e[0-9])?",
        "[^\0]{0,5}".prop_map(move |text| quoted(&text)),
    ];
    let nested = leaf.prop_recursive(3, 16, 4, move |inner| {
        let field = ("[a-z]{1,3}", inner.clone()).prop_map(move |(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec(field, 0..4).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    });
    nested.prop_map(|text| json(&text))
}

fn some_part() -> impl Strategy<Value = Part> {
    let any = "[^\0]{0,9}";
    let name = "[^\0]{1,9}";
    let state = prop::sample::select(vec![
        ToolState::InputStreaming,
        ToolState::InputAvailable,
        ToolState::ApprovalRequested,
        ToolState::OutputAvailable,
        ToolState::OutputError,
        ToolState::OutputDenied,
    ]);
    let tool = (name, name, state, option::of(some_json()), option::of(some_json()), option::of(any));
    prop_oneof![
        any.prop_map(Part::text),
        any.prop_map(Part::reasoning),
        (name, option::of(any), name).prop_map(|(media_type, filename, url)| Part::File {
            media_type,
            filename,
            url,
            extra: None,
        }),
        tool.prop_map(|(tool_call_id, tool_name, state, input, output, error_text)| Part::Tool {
            tool_call_id,
            tool_name,
            state,
            input,
            output,
            error_text,
            extra: None,
        }),
        (name, name, option::of(any)).prop_map(|(source_id, url, title)| {
            Part::Source(Source::Url { source_id, url, title, extra: None })
        }),
        (name, name, option::of(any), option::of(any)).prop_map(
            |(source_id, media_type, title, filename)| {
                Part::Source(Source::Document { source_id, media_type, title, filename, extra: None })
            }
        ),
        (name, some_json().prop_filter("data is not null", |data| data.as_str() != "null"))
            .prop_map(|(name, data)| Part::Data { name, data, extra: None }),
    ]
}

proptest! {
    #[test]
    fn parts_round_trip_through_the_database(list in vec(some_part(), 1..9)) {
        prop_assume!(!list.iter().all(Part::is_empty_text));
        let list = Parts::new("parts", list).unwrap();
        let json = list.to_json();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        prop_assert_eq!(Parts::from_json(&json), Some(list));
    }
}
