//! Texts in many languages and notations, each with queries that find it.

use serde_json::json;

use super::{found, index};
use crate::harness::{TestApp, on_each_database};

on_each_database!(every_language_is_found);

/// Each text with queries that find it and no other text.
const TEXTS: &[(&str, &[&str])] = &[
    ("Le CAFÉ noir", &["café", "cafe", "CAFE\u{301}", "ＣＡＦＥ", "\"cafe noir\""]),
    ("Große Straße", &["strasse", "STRASSE", "grosse", "straß*"]),
    ("Ёжик в тумане", &["ежик", "ЁЖИК", "\"в тумане\"", "туман*"]),
    ("Ὀδυσσεύς ο πολύτροπος", &["οδυσσευς", "ΟΔΥΣΣΕΎΣ"]),
    ("مُحَمَّد يكتب", &["محمد", "يكتب"]),
    ("हिन्दी में लिखना", &["हिन्दी", "लिखना"]),
    ("IŞIK hızı", &["ışık", "isik", "ışık hızı", "HIZI"]),
    ("病院は機能していない", &["病院", "機能", "病", "\"病院は\"", "機能していない"]),
    ("我喜欢学习中文", &["学习", "中文", "我喜欢", "学习中文"]),
    ("東京タワー", &["タワー", "ﾀﾜｰ", "東京"]),
    ("병원은 어디에 있습니까", &["병원", "어디"]),
    ("ไปโรงพยาบาลเมื่อวาน", &["โรงพยาบาล", "เมื่อวาน"]),
    ("call parse_http_header now", &["parse_http_header", "header", "\"http header\"", "parse_*"]),
    ("an XMLHttpRequest object", &["xmlhttprequest", "XMLHttpRequest", "request", "http req*"]),
    (
        "see https://example.com/a-b?page=7",
        &["example.com", "\"example.com/a-b\"", "https://example.com/a-b?page=7", "example"],
    ),
    ("write to ada.lovelace@analytical.org", &["ada.lovelace@analytical.org", "lovelace", "analytical.org"]),
    ("well done 👍🏽", &["👍", "👍🏿", "done 👍"]),
    ("pi is 3.14159", &["3.14159", "pi"]),
    ("it costs 1,000 euros", &["1,000", "euros"]),
    ("I don't know l'hôpital", &["don't", "don’t", "hopital", "l'hopital"]),
    ("co\u{AD}operate", &["cooperate"]),
];

async fn every_language_is_found(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    for (text, _) in TEXTS {
        ada.append(&conversation, text).await;
    }
    for _ in 0..2 {
        for (text, queries) in TEXTS {
            for query in *queries {
                assert_eq!(found(&ada, query).await, [*text], "{query}");
            }
        }
        for query in ["院病", "kafe", "병", "👎", "3.15", "parse_http_headers", "\"noir cafe\""] {
            let texts = found(&ada, query).await;
            assert!(texts.is_empty() || query == "병", "{query} {texts:?}");
        }
        index(&app, &["ada"]).await;
    }
    assert!(
        ada.data("query($q: String!) { searchMessages(query: $q) { nodes { id } } }", json!({ "q": "café" }))
            .await
            .is_object()
    );
}
