use super::*;
use crate::analysis::for_each_token;
use crate::analysis::tests::texts;
use proptest::prelude::*;

/// The clauses as they would be written with terms.
fn show(text: &str) -> String {
    let Query { clauses } = match parse(text) {
        Ok(query) => query,
        Err(error) => return error.to_string(),
    };
    let show = |Clause { is_excluded, matcher }: &Clause| {
        let minus = if *is_excluded { "-" } else { "" };
        match matcher {
            Matcher::Term(term) => format!("{minus}{term}"),
            Matcher::Prefix(term) => format!("{minus}{term}*"),
            Matcher::Phrase { terms, last_is_prefix } => {
                let terms: Vec<_> = terms.iter().map(|(term, offset)| format!("{term}@{offset}")).collect();
                format!("{minus}[{}]{}", terms.join(" "), if *last_is_prefix { "*" } else { "" })
            }
        }
    };
    clauses.iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn queries_are_words_phrases_and_exclusions() {
    for (text, expected) in [
        ("Foo BAR foo", "foo bar"),
        (
            "\"Exact  phrase\" -without -\"two words\" pre* -no*",
            "[exact@0 phrase@1] -without -[two@0 words@1] pre* -no*",
        ),
        ("“foo bar” „foo baz“ «a b» ＂c d＂", "[foo@0 bar@1] [foo@0 baz@1] [a@0 b@1] [c@0 d@1]"),
        ("\"foo\"bar foo2\"bar baz\"", "foo bar [foo@0 2@1 bar@2] baz"),
        ("\"foo\" \"\" \"never closed -x", "foo [never@0 closed@1 x@2]"),
        ("foo - * \" ** -* -\"\" ()", "foo"),
        ("a AND b OR NOT c NEAR title:x (y)^2", "a and b or not c near title:x [y@0 2@1]"),
        ("--verbose -> foo -", "verbose foo"),
        ("－foo ＊ ｂａｒ＊", "-foo bar*"),
        ("\u{3000}foo\u{A0}bar", "foo bar"),
        ("snake_case getUser* \"snake_case\" GitHub", "snake_case getuser* [snake@0 case@1] github"),
        ("foo-bar foo-ba* joe@Example.com", "[foo@0 bar@1] [foo@0 ba@1]* [joe@0 example@1 com@2]"),
        ("\"GitHub Actions\"", "[github@0 actions@1]"),
        ("病院 病院は 病 病* 病院*", "病院 [病院@0 院は@1] 病*"),
        ("GPTの \"病院 foo\"", "[gpt@0 の@1]* [病院@0 foo@2]"),
        ("צה\"ל \"צה\"ל חזק\"", "צה\"ל [צה@0 ל@1 חזק@2]"),
        ("3.5\" disk", "3.5 disk"),
        ("don't 🎉 👍🏽*", "don't 🎉 👍*"),
        ("", "the query must contain a word to search for"),
        (" -\"\" \"*\" ", "the query must contain a word to search for"),
        ("-a -\"b c\"", "the query must contain a word to search for, not only words to exclude with `-`"),
    ] {
        assert_eq!(show(text), expected, "{text}");
    }
}

#[test]
fn queries_have_limits() {
    let words = |count: u32| (0..count).map(|word| format!("w-{word} ")).collect::<String>();
    assert!(parse(&words(32)).is_ok());
    assert_eq!(parse(&words(33)), Err(QueryError::TooManyTerms { limit: 64 }));
    assert!(parse(&"same ".repeat(200)).is_ok(), "duplicates do not count");
    assert!(parse(&"a".repeat(1024)).is_ok());
    assert_eq!(parse(&" ".repeat(1025)), Err(QueryError::TooLong { bytes: 1025, limit: 1024 }));
}

#[test]
fn texts_match_in_all_languages() {
    let thai = "ฉันไปโรงพยาบาลเมื่อวานนี้";
    for (text, query, expected) in [
        ("Un café", "cafe", true),
        ("un cafe", "CAFÉ", true),
        ("CAFE\u{301}", "café", true),
        ("die Straße", "STRASSE", true),
        ("STRASSE", "straße", true),
        ("straßenbahn", "straße", false),
        ("straßenbahn", "straße*", true),
        ("Ёж", "еж", true),
        ("ЕЖ", "ё*", true),
        ("ὁ Ὀδυσσεύς", "οδυσσευσ", true),
        ("ΛΌΓΟΣ", "λόγος", true),
        ("مُحَمَّد", "محمد", true),
        ("محمد", "مُحَمَّد", true),
        ("العربية", "عربية", false),
        ("यह हिन्दी है", "हिन्दी", true),
        ("यह हिन्दी है", "हिन्द*", true),
        ("ışık", "IŞIK", true),
        ("IŞIK", "isik", true),
        ("שָׁלוֹם", "שלום", true),
        ("我住在北京大学附近", "北京", true),
        ("我住在北京大学附近", "北京大学", true),
        ("我住在北京大学附近", "京北", false),
        ("我住在北京大学附近", "近", true),
        ("我住在北京大学附近", "北大", false),
        ("病院は機能していない", "病院", true),
        ("病院は機能していない", "病", true),
        ("病院は機能していない", "\"病院は機能\" -病気", true),
        ("病院は機能していない", "い", true),
        ("ｻｰﾊﾞｰ", "サーバー", true),
        ("병원은 열려 있다", "병원", true),
        ("병원은 열려 있다", "병", true),
        ("병원은 열려 있다", "원병", false),
        (thai, "โรงพยาบาล", true),
        (thai, "พยาบาล", true),
        (thai, "โรงเรียน", false),
        ("fn get_user_name()", "get_user_name", true),
        ("fn get_user_name()", "user", true),
        ("fn get_user_name()", "\"user name\"", true),
        ("fn get_user_name()", "get_user", false),
        ("fn get_user_name()", "\"get_user\"", true),
        ("getUserName", "GETUSERNAME", true),
        ("getUserName", "user", true),
        ("GitHub Actions", "\"github actions\"", true),
        ("github actions", "\"GitHub Actions\"", true),
        ("GitHub Actions", "hub", true),
        ("HTTPServer", "http server", true),
        ("gpt4 and utf8", "gpt utf", true),
        ("gpt4", "\"gpt 4\"", true),
        ("gpt 4", "gpt-4", true),
        ("see https://example.com/a-b?x=1", "example.com", true),
        ("see https://example.com/a-b?x=1", "https://example.com/a-b", true),
        ("see https://EXAMPLE.com/a-b?x=1", "example x", true),
        ("mail joe@example.com now", "joe@example.com", true),
        ("mail joe@example.com now", "ann@example.com", false),
        ("Joe.Doe@GitHub.com", "joe.doe@github.com", true),
        ("great 👍🏽", "👍", true),
        ("great 👍", "👍🏿", true),
        ("great 👍", "👎", false),
        ("🇩🇪🇫🇷", "🇫🇷", true),
        ("🇩🇪🇫🇷", "🇪🇫", false),
        ("pi is 3.14", "3.14", true),
        ("1,000 km", "1,000", true),
        ("1,000 km", "1*", true),
        ("I don’t know", "don't", true),
        ("I don't know", "\"don’t know\"", true),
        ("l’hôpital Necker", "hopital", true),
        ("l'hôpital Necker", "\"hôpital necker\"", true),
        ("co\u{AD}operate", "cooperate", true),
        ("one two three", "two -four", true),
        ("one two three", "two -three", false),
        ("one two three", "\"one three\"", false),
        ("one two three", "\"two thr*\"", false),
        ("one two three", "-\"one three\" one", true),
    ] {
        let query = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(query.matches(&[text]), expected, "{text}: {query:?}");
    }
}

#[test]
fn phrases_stay_in_one_text_and_words_do_not() {
    let query = |text| parse(text).expect("a query");
    assert!(query("one two").matches(&["one", "two"]));
    assert!(!query("\"one two\"").matches(&["one", "two"]));
    assert!(!query("one -two").matches(&["one", "two"]));
    assert!(query("\"one two\"").matches(&["", "x one two"]));
}

proptest! {
    #[test]
    fn every_text_is_a_query_or_says_why_not(text in texts()) {
        match parse(&text) {
            Ok(query) => {
                prop_assert!(query.required().next().is_some());
                for clause in &query.clauses {
                    if let Matcher::Phrase { terms, .. } = &clause.matcher {
                        prop_assert!(terms.len() > 1 && terms[0].1 == 0);
                        prop_assert!(terms.is_sorted_by(|(_, one), (_, other)| one < other));
                    }
                }
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn every_word_of_a_text_finds_it(text in texts()) {
        let mut words = Vec::new();
        for_each_token(&text, 0, |token| {
            if !token.is_part {
                words.push(text[token.range].to_owned());
            }
        });
        for word in words {
            if let Ok(query) = parse(&word) {
                prop_assert!(query.matches(&[&text]), "{word:?}: {query:?}");
            } else {
                prop_assert!(word.len() > 128, "{word:?}");
            }
        }
    }

    #[test]
    fn every_quoted_line_finds_its_text(text in texts()) {
        let quoted = text.replace(['"', '“', '”', '„', '‟', '«', '»', '＂'], " ");
        if let Ok(query) = parse(&format!("\"{quoted}\"")) {
            prop_assert!(query.matches(&[&quoted]), "{query:?}");
            prop_assert!(query.matches(&[&format!("before {quoted} after")]), "{query:?}");
        }
    }
}
