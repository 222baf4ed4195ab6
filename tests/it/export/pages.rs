//! Pages in Markdown and HTML, and archives of them: readable and safe.

use std::io::{Cursor, Read};

use serde_json::{Value, json};
use zip::ZipArchive;

use super::formats::{CREATE, append, conversation};
use super::http::{get, text};
use crate::harness::{TestApp, on_each_database};

on_each_database!(
    pages_are_safe,
    pages_have_all_branches_in_order,
    archives_have_a_page_for_each_conversation
);

/// What a text could be mistaken for.
const HOSTILE: &str = "</pre></article><script>alert(1)</script>\n# forged\n## User\n---\n![x](https://evil.example/a.png)\n\
    [a](javascript:alert(1)) <https://evil.example> <img src=https://evil.example/b>\n```\n</pre>\n# in code\n````\nafter\n\
    [r]: javascript:alert(1)\n&lt;script&gt;\u{2028}# line\u{85}# next";

fn hostile_parts() -> Value {
    json!([
        { "text": { "text": HOSTILE } },
        { "reasoning": { "text": HOSTILE } },
        { "file": { "mediaType": "image/png", "filename": "<b>\n# a.png", "url": "https://evil.example/c.png" } },
        { "file": { "mediaType": "image/svg+xml", "url": "data:image/svg+xml,<svg onload=alert(1)>" } },
        { "file": { "mediaType": "image/png", "url": "data:image/png;base64,iVBORw0KGgo=" } },
        { "file": { "mediaType": "text/html", "filename": "x", "url": "javascript:alert(1)//\"><script>" } },
        { "tool": { "toolCallId": "1", "toolName": "</summary><script>", "state": "OUTPUT_ERROR",
            "input": { "a": "</pre><script>```\n```" }, "errorText": HOSTILE } },
        { "sourceUrl": { "sourceId": "s", "url": "javascript:alert(1)", "title": HOSTILE } },
        { "sourceUrl": { "sourceId": "s", "url": "https://example.org/\"><script>?a=1&lt=2", "title": "](x" } },
        { "sourceDocument": { "sourceId": "s", "mediaType": "<b>", "title": "<script>\n# t" } },
        { "data": { "name": "<script>", "data": "```</pre>" } },
    ])
}

async fn pages_are_safe(app: TestApp) {
    let ada = app.client("ada");
    let messages = json!([
        { "role": "USER", "content": HOSTILE, "model": "<script>\n# m" },
        { "role": "ASSISTANT", "parts": hostile_parts() },
    ]);
    let (id, _) = conversation(&ada, "<script>alert(1)</script>\n# title", messages).await;
    for branches in ["active", "all"] {
        let page = text(&ada, &format!("?format=html&conversation={id}&branches={branches}")).await;
        assert!(!page.contains("<script") && !page.contains("onload=alert(1)>"), "{page}");
        assert!(page.contains(
            "<meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; img-src data:;"
        ));
        assert_eq!(page.matches("<article").count(), 2);
        assert_eq!(page.matches("</article>").count(), 2);
        assert_eq!(page.matches("<img ").count(), 1, "only an image that is in the page");
        let links: Vec<_> =
            page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(
            links,
            ["https://evil.example/c.png", "https://example.org/&quot;&gt;&lt;script&gt;?a=1&amp;lt=2"]
        );
        let page = text(&ada, &format!("?format=markdown&conversation={id}&branches={branches}")).await;
        super::markdown::check(&page, 2);
    }
}

async fn pages_have_all_branches_in_order(app: TestApp) {
    let ada = app.client("ada");
    let user = |content: &str| json!({ "role": "USER", "content": content });
    let (id, ids) = conversation(&ada, "branches", json!([user("one"), user("two")])).await;
    append(&ada, &id, json!({ "role": "ASSISTANT", "content": "three", "parentId": ids[0] })).await;
    append(&ada, &id, json!({ "role": "USER", "content": "four", "parentId": ids[1] })).await;
    append(&ada, &id, json!({ "role": "USER", "content": "five", "parentId": null })).await;
    append(&ada, &id, user("six")).await;
    let markdown = text(&ada, &format!("?format=markdown&branches=all&conversation={id}")).await;
    let wanted = ["one", "two", "three", "four", "five", "six"];
    let shown: Vec<_> = markdown
        .lines()
        .filter(|line| {
            wanted.contains(line)
                || line.starts_with("## ")
                || line.contains("nswers")
                || line.contains("egins")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "## 1 · User",
            "one",
            "## 2 · User",
            "two",
            "## 3 · Assistant",
            "*Answers message 1.*",
            "three",
            "## 4 · User",
            "*Answers message 2.*",
            "four",
            "## 5 · User",
            "*Begins another branch.*",
            "five",
            "## 6 · User",
            "six",
        ]
    );
    assert!(markdown.contains("all branches. The active one ends with message 6."), "{markdown}");
    let html = text(&ada, &format!("?format=html&branches=all&conversation={id}")).await;
    assert!(html.contains("<a href=\"#m2\">Answers message 2.</a>") && html.contains("id=\"m2\""));
    let active = text(&ada, &format!("?format=markdown&conversation={id}")).await;
    assert!(active.contains("the active branch only") && !active.contains("one") && active.contains("six"));
}

async fn archives_have_a_page_for_each_conversation(app: TestApp) {
    let ada = app.client("ada");
    let titles = ["../../etc/passwd", "CON", "Plan", "plan", "Plan", "日本 😀", "", "<b>"];
    let mut day = String::new();
    for (number, title) in titles.iter().enumerate() {
        let messages = json!([{ "role": "USER", "content": format!("content {number}") }]);
        let input = json!({ "title": title, "messages": messages });
        let data = ada.data(CREATE, json!({ "input": input })).await;
        day = data["createConversation"]["conversation"]["createdAt"].as_str().unwrap()[..10].to_owned();
    }
    for (extension, format, index) in [("md", "markdown", 0), ("html", "html", 1)] {
        let bytes = get(&ada, &format!("?format={format}")).await.bytes().await.unwrap();
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(archive.len(), titles.len() + index);
        let expected =
            [".._.._etc_passwd", "CON", "Plan", "plan (2)", "Plan (3)", "日本 😀", "Untitled", "_b_"];
        let mut read = |at: usize| {
            let mut file = archive.by_index(at).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.name().unwrap().into_owned(), text)
        };
        for (number, name) in expected.iter().enumerate() {
            let (found, page) = read(number + index);
            assert_eq!(found, format!("{day} {name}.{extension}"));
            assert!(page.contains(&format!("content {number}")));
        }
        if index == 1 {
            let (name, page) = read(0);
            assert_eq!(name, "index.html");
            assert!(page.contains("8 conversations, the oldest first"));
            let link = format!("<a href=\"./{day}%20plan%20%282%29.html\" dir=\"auto\">plan</a>");
            assert!(page.contains(&link), "{page}");
            assert!(page.contains(">&lt;b&gt;</a>") && page.contains(">Untitled conversation</a>"));
        }
    }
    // Nothing is an archive, too.
    let bytes = get(&app.client("eve"), "?format=markdown").await.bytes().await.unwrap();
    assert_eq!(ZipArchive::new(Cursor::new(bytes)).unwrap().len(), 0);
}
