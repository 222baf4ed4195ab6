use super::*;
use proptest::prelude::*;

/// The tokens as `term@position`, parts with `+` and pieces of parts with `++` before them.
fn tokens(text: &str) -> String {
    let mut tokens = Vec::new();
    for_each_token(text, 0, |token| {
        let mark = match (token.is_part, token.is_case_part) {
            (false, _) => "",
            (true, false) => "+",
            (true, true) => "++",
        };
        tokens.push(format!("{mark}{}@{}", token.term, token.position));
    });
    tokens.join(" ")
}

fn ranges(text: &str) -> Vec<&str> {
    let mut ranges = Vec::new();
    for_each_token(text, 0, |token| ranges.push(&text[token.range]));
    ranges
}

#[test]
fn words_are_terms() {
    for (text, expected) in [
        ("", ""),
        (" \t\r\n\u{B}…!?-*\"_ __", ""),
        ("The quick, brown fox.", "the@0 quick@1 brown@2 fox@3"),
        ("c++ c# a/b foo-bar", "c@0 c@1 a@2 b@3 foo@4 bar@5"),
        ("Straße CAFÉ naïve œuvre Þór ærø Ðð", "strasse@0 cafe@1 naive@2 oeuvre@3 thor@4 aero@5 dd@6"),
        ("Ёж ёлка ЙОД", "еж@0 елка@1 иод@2"),
        ("ΟΔΥΣΣΕΎΣ Ὀδυσσεύς", "οδυσσευσ@0 οδυσσευσ@1"),
        ("ışık IŞIK", "isik@0 isik@1"),
        ("مُحَمَّد محـــمد", "محمد@0 محمد@1"),
        ("हिन्दी में", "हिन्दी@0 में@1"),
        ("co\u{AD}operate می\u{200C}خواهم", "cooperate@0 میخواهم@1"),
        ("_emphasis_ **bold** 'quoted' ʼtis", "emphasis@0 bold@1 quoted@2 tis@3"),
        ("1\u{202F}000\u{A0}km", "1@0 000@1 km@2"),
        ("a\0b\u{202E}c\u{301}\u{7F}d", "a@0 bc@1 d@2"),
        ("\u{301} \u{200D}\u{FE0F} \u{640} \u{93C} ʼ\u{93C} \u{940}", ""),
    ] {
        assert_eq!(tokens(text), expected, "{text}");
    }
}

#[test]
fn structured_words_have_parts() {
    for (text, expected) in [
        ("a snake_case b", "a@0 snake_case@1 +snake@1 +case@2 b@3"),
        ("a camelCase b", "a@0 camelcase@1 ++camel@1 ++case@1 b@2"),
        ("HTTPServer", "httpserver@0 ++http@0 ++server@0"),
        ("my_HTTPServer x", "my_httpserver@0 +my@0 +httpserver@1 ++http@1 ++server@1 x@2"),
        ("FooFoo", "foofoo@0 ++foo@0"),
        ("gpt4 utf8", "gpt4@0 +gpt@0 +4@1 utf8@2 +utf@2 +8@3"),
        ("OAuth2", "oauth2@0 +oauth@0 ++o@0 ++auth@0 +2@1"),
        ("example.com", "example.com@0 +example@0 +com@1"),
        ("3.14 1,000", "3.14@0 +3@0 +14@1 1,000@2 +1@2 +000@3"),
        ("don't don’t", "don't@0 +don@0 +t@1 don't@2 +don@2 +t@3"),
        ("L’Hôpital", "l'hopital@0 +l@0 +hopital@1"),
        ("пам’ять памʼять", "пам'ять@0 +пам@0 +ять@1 пам'ять@2 +пам@2 +ять@3"),
        ("צה\"ל צה״ל", "צה\"ל@0 +צה@0 +ל@1 צה\"ל@2 +צה@2 +ל@3"),
        ("ПриветМир", "приветмир@0 ++привет@0 ++мир@0"),
        ("ـ’ʼЁ’’ё A:\u{610}ʼ", "е@0 е@1 a@2"),
        ("__init__ foo__bar", "init@0 foo__bar@1 +foo@1 +bar@2"),
        ("https://example.com/a-b?x=1", "https@0 example.com@1 +example@1 +com@2 a@3 b@4 x@5 1@6"),
        ("joe@example.com", "joe@0 example.com@1 +example@1 +com@2"),
    ] {
        assert_eq!(tokens(text), expected, "{text}");
    }
}

#[test]
fn scripts_without_spaces_give_pairs_of_clusters() {
    for (text, expected) in [
        ("病院は", "病院@0 院は@1 は@2"),
        ("病", "病@0"),
        ("病、院", "病@0 院@1"),
        ("iPhoneを買う", "iphone@0 ++i@0 ++phone@0 を買@1 買う@2 う@3"),
        ("ｶﾞﾝﾀﾞﾑ", "ガン@0 ンダ@1 ダム@2 ム@3"),
        ("カ\u{3099}ンタ\u{3099}ム", "ガン@0 ンダ@1 ダム@2 ム@3"),
        ("サーバー", "サー@0 ーバ@1 バー@2 ー@3"),
        ("㌔㍿", "キロ@0 ロ株@1 株式@2 式会@3 会社@4 社@5"),
        ("㈱日", "株日@0 日@1"),
        ("병원은 하", "병원@0 원은@1 은@2 하@3"),
        ("\u{1107}\u{1167}\u{11BC}\u{110B}\u{116F}\u{11AB}", "병원@0 원@1"),
        ("ที่นี่", "ที่นี่@0 นี่@1"),
        ("ไทย๕", "ไท@0 ทย@1 ย@2 ๕@3"),
        ("病\u{200B}院", "病院@0 院@1"),
        ("日本語GPT4の", "日本@0 本語@1 語@2 gpt4@3 +gpt@3 +4@4 の@5"),
    ] {
        assert_eq!(tokens(text), expected, "{text}");
    }
    assert_eq!(ranges("ｶﾞﾝは㌔"), ["ｶﾞﾝ", "ﾝは", "は㌔", "㌔", "㌔"]);
}

#[test]
fn emoji_are_terms() {
    for (text, expected) in [
        ("Party🎉🎉", "party@0 🎉@1 🎉@2"),
        ("👍🏽 👍", "👍@0 👍@1"),
        ("❤\u{FE0F} ❤", "❤@0 ❤@1"),
        ("🇩🇪🇫🇷", "🇩🇪@0 🇫🇷@1"),
        ("1\u{FE0F}\u{20E3}2\u{FE0F}\u{20E3} #\u{20E3}a", "1\u{20E3}@0 2\u{20E3}@1 #\u{20E3}@2 a@3"),
        ("👩🏽\u{200D}💻x", "👩💻@0 x@1"),
        ("©2024 Word™", "2024@0 word@1"),
    ] {
        assert_eq!(tokens(text), expected, "{text}");
    }
    assert_eq!(ranges("a👩🏽\u{200D}💻b"), ["a", "👩🏽\u{200D}💻", "b"]);
}

#[test]
fn long_words_are_cut() {
    let mut count = 0;
    for word in ["ab_".repeat(100), "é".repeat(100), "病\u{E31}".repeat(3) + &"\u{E31}".repeat(300)] {
        for_each_token(&word, 0, |token| {
            assert!(token.term.len() <= MAX_TERM_BYTES && !token.is_part);
            count += 1;
        });
    }
    assert_eq!(count, 1 + 1 + 3, "words longer than 128 bytes have no parts");
    assert_eq!(tokens("d4aae7eb9c8f7e6d5c4b3a2f1e0d"), "d4aae7eb9c8f7e6d5c4b3a2f1e0d@0", "too many parts");
}

#[test]
fn ranges_leave_out_what_is_not_part_of_the_word() {
    assert_eq!(ranges("(_word_\u{200F}) x"), ["word", "x"]);
    assert_eq!(ranges("HTTPServer_2"), ["HTTPServer_2", "HTTPServer", "HTTP", "Server", "2"]);
}

/// Texts of all kinds: words of many scripts, separators, marks, emoji and arbitrary characters.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9_.:,;'\" -]{1,12}",
        2 => "[а-яА-ЯёЁ ’ʼ]{1,8}",
        1 => "[α-ωΑ-Ωάς ]{1,8}",
        1 => "[א-ת״\" ]{1,6}",
        1 => "[ء-ي\u{64B}-\u{652}ـ ]{1,6}",
        1 => "[क-ह\u{93C}\u{93F}\u{94D}\u{940} ]{1,6}",
        2 => "[一-十ぁ-んァ-ヶーｦ-ﾟ㌀-㍗ 、]{1,6}",
        1 => "[가-걿ᄀ-ᇿ ]{1,5}",
        1 => "[ก-๛ກ-ໝក-៹က-၏ ]{1,6}",
        2 => "[😀-😏🏻-🏿🇦-🇿\u{200D}\u{FE0F}\u{20E3}#1❤👩]{1,6}",
        1 => "[\u{0}-\u{20}\u{300}-\u{310}\u{AD}\u{200B}-\u{200F}\u{202A}-\u{202F}æœþðß]{1,4}",
        1 => "\\PC{1,4}",
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn tokens_are_well_formed(text in texts(), first in 0..5_u32) {
        let mut last = first;
        let mut here = Vec::new();
        let end = for_each_token(&text, first, |token| {
            assert!(text.get(token.range.clone()).is_some_and(|word| !word.is_empty()), "{token:?}");
            assert!(!token.term.is_empty() && token.term.len() <= MAX_TERM_BYTES, "{token:?}");
            assert!(!token.term.contains(|c: char| c.is_whitespace() || c.is_control()), "{token:?}");
            assert!(token.position == last || token.position == last + 1, "{token:?} after {last}");
            if token.position != last {
                here.clear();
            }
            assert!(!here.contains(&token.term.to_owned()), "twice: {token:?}");
            here.push(token.term.to_owned());
            last = token.position;
        });
        prop_assert!(end == last + 1 || end == first);
    }

    #[test]
    fn ascii_words_are_those_of_unicode(text in "[a-cA-C0-2_.:,;'\" @/-]{0,24}") {
        let ascii = tokens(&text);
        let mut unicode = Vec::new();
        let mut writer = TokenWriter::new(&text, 0, |token: Token<'_>| {
            unicode.push((token.term.to_owned(), token.position));
        });
        for (start, word) in text.unicode_word_indices() {
            writer.write_word(start..start + word.len());
        }
        let unicode: Vec<_> = unicode.iter().map(|(term, position)| format!("{term}@{position}")).collect();
        prop_assert_eq!(ascii.replace('+', ""), unicode.join(" "));
    }

    #[test]
    fn other_spaces_and_scripts_around_a_word_change_nothing(text in "[a-cA-C0-2_.:,;' -]{0,16}") {
        prop_assert_eq!(tokens(&text), tokens(&format!("、{}、", text.replace(' ', "\u{A0}"))));
    }

    #[test]
    fn lower_case_has_the_same_positions(text in "[a-cA-C0-2_. ]{0,16}") {
        let words = |text: &str| {
            let mut words = Vec::new();
            for_each_token(text, 0, |token| {
                if !token.is_case_part {
                    words.push((token.term.to_owned(), token.position));
                }
            });
            words
        };
        prop_assert_eq!(words(&text), words(&text.to_lowercase()));
    }

    #[test]
    fn texts_may_be_cut_at_whitespace(one in texts(), other in texts()) {
        let joined = tokens(&format!("{one} {other}"));
        let mut parts = Vec::new();
        let position = for_each_token(&one, 0, |token| parts.push(token.term.len()));
        let end = for_each_token(&other, position, |token| parts.push(token.term.len()));
        let mut lengths = Vec::new();
        let joined_end = for_each_token(&format!("{one} {other}"), 0, |token| lengths.push(token.term.len()));
        prop_assert_eq!(lengths, parts, "{}", joined);
        prop_assert_eq!(end, joined_end);
    }
}
