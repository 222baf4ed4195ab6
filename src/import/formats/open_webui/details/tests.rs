use super::*;

fn outline(text: &str) -> (String, String) {
    let mut rest = BlockFields::default();
    let parts = serde_json::to_string(&super::parts(text, &mut rest)).unwrap();
    let mut metadata = JsonObject::new();
    rest.put_into(&mut metadata, "details");
    (parts, JsonValue::Object(metadata).to_string())
}

#[test]
fn reasoning_and_calls_are_parts_between_the_texts() {
    let (parts, rest) = outline(concat!(
        "<details type=\"reasoning\" done=\"true\" duration=\"3\">\n<summary>Thought for 3 seconds</summary>\n",
        "&gt; Is 1 &lt; 2?\n&gt; Yes.\n</details>\nLet me look.\n\n",
        "<details type=\"tool_calls\" done=\"true\" id=\"t1\" name=\"search\" arguments=\"&quot;{\\&quot;q\\&quot;: \\&quot;a &gt; b\\&quot;}&quot;\" ",
        "result=\"&quot;found&quot;\" files=\"\" embeds=\"\">\n<summary>Tool Executed</summary>\n</details>\n",
        "<details type=\"tool_calls\" done=\"true\" id=\"t2\" name=\"draw\" arguments=\"{}\" ",
        "files=\"[{&quot;type&quot;:&quot;image&quot;,&quot;url&quot;:&quot;/a.png&quot;}]\">\n",
        "<summary>Tool Executed</summary>\n&quot;a &amp; b&quot;\n</details>Done."
    ));
    let expected = concat!(
        r#"[{"reasoning":{"text":"Is 1 < 2?\nYes."}},{"text":{"text":"Let me look."}},"#,
        r#"{"tool":{"toolCallId":"t1","toolName":"search","state":"outputAvailable","input":{"q":"a > b"},"output":"found"}},"#,
        r#"{"tool":{"toolCallId":"t2","toolName":"draw","state":"outputAvailable","input":{},"output":"a & b"}},"#,
        r#"{"file":{"mediaType":"image/png","url":"/a.png"}},{"text":{"text":"Done."}}]"#,
    );
    assert_eq!(parts, expected);
    let expected = r#"{"details":[{"index":0,"kind":"reasoning","duration":"3"}]}"#;
    assert_eq!(rest, expected.replace(r#""kind":"reasoning","#, ""));
}

#[test]
fn code_that_was_run_is_a_tool() {
    let (parts, _) = outline(concat!(
        "<details type=\"code_interpreter\" done=\"true\" duration=\"0\" output=\"{&quot;stdout&quot;: &quot;42&quot;}\">\n",
        "<summary>Analyzed</summary>\n```python\nprint(6*7)\n```\n</details>"
    ));
    let expected = concat!(
        r#"[{"tool":{"toolCallId":"code_interpreter_0","toolName":"code_interpreter","state":"outputAvailable","#,
        r#""input":{"code":"print(6*7)","lang":"python"},"output":{"stdout":"42"}}}]"#,
    );
    assert_eq!(parts, expected);
}

#[test]
fn a_block_that_was_being_written_ends_with_the_text() {
    let (parts, _) = outline(
        "Hi\n<details type=\"tool_calls\" done=\"false\" id=\"t\" name=\"x\" arguments=\"{\">\n<summary>Executing...</summary>",
    );
    let expected = r#"[{"text":{"text":"Hi"}},{"tool":{"toolCallId":"t","toolName":"x","state":"inputAvailable","input":"{"}}]"#;
    assert_eq!(parts, expected);
}

#[test]
fn other_details_and_those_in_code_stay_in_the_text() {
    for text in [
        "<details>\n<summary>More</summary>\ntext\n</details>",
        "```html\n<details type=\"reasoning\" done=\"true\">\nx\n</details>\n```",
        "see <details type=\"reasoning\" done=\"true\">x</details>",
        "<details type=\"reasoning\" done=\"true\">x",
        "<details type=\"reasoning",
    ] {
        let expected = format!("[{}]", serde_json::to_string(&Part::text(text.to_owned())).unwrap());
        assert_eq!(outline(text).0, expected);
    }
    let (parts, _) = outline("<details type=\"reasoning\" done=\"true\">a <details>b</details> c</details>d");
    assert_eq!(parts, r#"[{"reasoning":{"text":"a <details>b</details> c"}},{"text":{"text":"d"}}]"#);
}
